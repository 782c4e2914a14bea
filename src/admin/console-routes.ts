import type { FastifyReply, FastifyRequest } from "fastify";
import type { AdminApp } from "./app.ts";
import { CONSOLE_FILE_NAMES, type ConsoleFileName, consoleFile } from "./console-files.ts";

/**
 * What the console may do in a browser: run and look as its own files say, call this listener, and nothing else. It cannot be
 * framed, and no text can become HTML or script in it, were it to try.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** The console's files. Anyone may have them, for they hold nothing; what they show is asked for with a token. */
export function addConsoleRoutes(app: AdminApp): void {
  const config = { access: "anyone", page: true } as const;
  for (const url of ["/", "/console"])
    app.get(url, { config }, (request, reply) => send("index.html", request, reply));
  for (const name of CONSOLE_FILE_NAMES.filter((each) => each !== "index.html"))
    app.get(`/console/${name}`, { config }, (request, reply) => send(name, request, reply));
}

async function send(
  name: ConsoleFileName,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { type, plain, gzipped, etag } = await consoleFile(name);
  reply.headers({
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
    vary: "accept-encoding",
    etag,
  });
  if (request.headers["if-none-match"] === etag) return reply.code(304).send();
  if (!/\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) return reply.type(type).send(plain);
  return reply.type(type).header("content-encoding", "gzip").send(gzipped);
}
