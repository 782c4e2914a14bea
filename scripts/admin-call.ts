/** Changes something by an edge's admin API, or by the control of simulated regions. Rejects when it is refused. */
export async function call(url: string, body: Readonly<Record<string, unknown>>): Promise<void> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`POST ${url}: ${answer.status} ${await answer.text()}`);
  await answer.body?.cancel();
}
