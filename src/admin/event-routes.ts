import type { AdminApp } from "./app.ts";
import type { EventFeed } from "./feed.ts";
import { text } from "./message-parts.ts";
import { Refusal } from "./problems.ts";

export function addEventRoutes(app: AdminApp, feed: EventFeed): void {
  const schema = {
    summary: "Server-sent events: health, admission, ejected endpoints, Redis, reloads, audit.",
    produces: "text/event-stream",
    response: { 200: text },
  };
  const options = { schema, config: { access: "viewer" }, exposeHeadRoute: false } as const;
  app.get("/v1/events", options, (_request, reply) => {
    if (!feed.add(reply.raw)) throw new Refusal("busy", "too many clients listen already; close some");
    reply.hijack();
  });
}
