import { randomUUID } from "node:crypto";
import { connect } from "node:net";

/** The kinds of request that a failing region is met with: method, fields and body. */
export const KINDS = {
  GET: { method: "GET", fields: "connection: close\r\n", body: "" },
  HEAD: { method: "HEAD", fields: "connection: close\r\n", body: "" },
  "GET with a body": { method: "GET", fields: "connection: close\r\ncontent-length: 4\r\n", body: "body" },
  POST: { method: "POST", fields: "connection: close\r\ncontent-length: 4\r\n", body: "body" },
  upgrade: {
    method: "GET",
    fields:
      "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    body: "",
  },
} as const;

export type Kind = keyof typeof KINDS;

export interface Asked {
  /** The `x-id` that every region saw of it. */
  readonly id: string;
  /**
   * What a client makes of the bytes: the status, then the region that answered or the fault that is told of, then `cut`
   * if the answer has not come to its end. `nothing` when not even a head came.
   */
  readonly saw: string;
  readonly body: string;
}

const PATIENCE_MS = 10_000;

/** Sends one request over a connection of its own, and reads the answer as a careful client does. */
export async function ask(httpUrl: string, kind: Kind, path = "/"): Promise<Asked> {
  const id = randomUUID();
  const { method, fields, body } = KINDS[kind];
  const sent = `${method} ${path} HTTP/1.1\r\nhost: x\r\nx-id: ${id}\r\n${fields}\r\n${body}`;
  return { id, ...understood(await wire(httpUrl, sent), kind) };
}

/** All that comes until the connection ends, or an upgrade was agreed to. */
function wire(httpUrl: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(httpUrl);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes, "latin1"));
    let text = "";
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
      if (text.startsWith("HTTP/1.1 101 ") && text.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("error", () => {});
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

function understood(text: string, kind: Kind): { saw: string; body: string } {
  const final = text.replace(/^(HTTP\/1\.1 10[02-9] [\s\S]*?\r\n\r\n)*/, "");
  const headEnd = final.indexOf("\r\n\r\n");
  const [, status] = /^HTTP\/1\.1 (\d+) /.exec(final) ?? [];
  if (status === undefined || headEnd < 0) return { saw: "nothing", body: "" };
  const head = final.slice(0, headEnd);
  const rest = final.slice(headEnd + 4);
  const bodiless = kind === "HEAD" || status === "101";
  const { body, whole } = bodiless ? { body: rest, whole: rest === "" } : framed(head, rest);
  const from = found(/^x-meridian-region: (\w+)$/im, head) ?? found(/"fault":"(\w+)"/, body) ?? "nobody";
  return { saw: `${status} ${from}${whole ? "" : " cut"}`, body };
}

function found(pattern: RegExp, text: string): string | undefined {
  return pattern.exec(text)?.[1];
}

function framed(head: string, rest: string): { body: string; whole: boolean } {
  if (/^transfer-encoding: chunked$/im.test(head)) {
    const body = rest.replaceAll(/[0-9a-f]+\r\n([\s\S]*?)\r\n/gi, "$1");
    return { body, whole: /(^|\r\n)0\r\n(\S+: .*\r\n)*\r\n$/.test(rest) };
  }
  const length = found(/^content-length: (\d+)$/im, head);
  return { body: rest, whole: length === undefined || rest.length === Number(length) };
}
