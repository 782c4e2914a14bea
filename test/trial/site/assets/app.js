const show = (id, text) => {
  document.getElementById(id).textContent += `${text}\n`;
};

async function list() {
  const answer = await fetch("/api/notes");
  show(
    "from",
    `GET /api/notes ${answer.status} ${answer.headers.get("x-meridian-region")} ${answer.headers.get("x-meridian-reason")}`,
  );
  if (!answer.ok) return;
  document.getElementById("notes").replaceChildren(
    ...(await answer.json()).map((note) => {
      const item = document.createElement("li");
      item.textContent = note.text;
      return item;
    }),
  );
}

document.getElementById("post").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = document.getElementById("text").value;
  const answer = await fetch("/api/notes", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text }),
  });
  if (answer.ok) location.reload();
});

window.ticks = 0;
new EventSource("/events").addEventListener("message", () => {
  window.ticks += 1;
});
const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws`);
window.said = [];
socket.addEventListener("message", (event) => {
  window.said.push(event.data);
  show("live", event.data);
  if (window.said.length === 1) socket.send("hello from a browser");
});
list();
