import { effect, signal } from "@preact/signals";
import { send } from "./api.ts";
import { type Happening, happening } from "./happenings.ts";
import { gate } from "./session.ts";
import { MessageReader } from "./sse.ts";

const MOST = 200;
const AGAIN_AFTER_MS = 2_000;

/** What has happened since the page was opened, the newest first. */
export const happenings = signal<readonly Happening[]>([]);
export const feedOpen = signal(false);

let last = 0;
let running = false;

export function follow(): void {
  effect(() => {
    if (gate.value === null && !running) void run();
  });
}

/** Reads the feed until a token is asked for; comes back when it breaks. */
async function run(): Promise<void> {
  running = true;
  while (gate.peek() === null) {
    await read().catch(() => undefined);
    feedOpen.value = false;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
  }
  running = false;
}

async function read(): Promise<void> {
  const answer = await send("v1/events", { headers: { accept: "text/event-stream" } });
  if (answer.body === null) return;
  feedOpen.value = true;
  const messages = new MessageReader();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read())
    for (const { event, data } of messages.read(piece.value)) tell(event, data);
}

function tell(event: string, data: string): void {
  last += 1;
  const fields = JSON.parse(data) as Record<string, unknown>;
  happenings.value = [happening(last, event, fields), ...happenings.value].slice(0, MOST);
}
