import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { type AdminAddress, headersOf, urlOf } from "./client.ts";

const AGAIN_MS = 2_000;

/** Follows `GET /v1/events` until `signal` is aborted; an edge that is away is asked again. Never rejects. */
export async function followEvents(
  address: AdminAddress,
  onEvent: (name: string, data: Readonly<Record<string, unknown>>) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const [name, data] of eventsOf(address, signal)) onEvent(name, data);
    } catch {
      // Whoever watches sees by the rest of the page that the edge does not answer.
    }
    await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** An event is its lines up to an empty one (WHATWG HTML, server-sent events); ours have one line of data. */
async function* eventsOf(address: AdminAddress, signal: AbortSignal) {
  const options = { headers: headersOf(address, "text/event-stream"), signal, bodyTimeout: 0 };
  const { statusCode, body } = await request(urlOf(address, "/v1/events"), options);
  if (statusCode !== 200) return body.destroy();
  let unread = "";
  for await (const text of body.setEncoding("utf8")) {
    const blocks = (unread + text).split("\n\n");
    unread = blocks.pop() ?? "";
    for (const block of blocks) {
      const [, name] = /^event: (.*)$/m.exec(block) ?? [];
      const [, data] = /^data: (.*)$/m.exec(block) ?? [];
      if (name !== undefined && data !== undefined) yield [name, JSON.parse(data)] as const;
    }
  }
}
