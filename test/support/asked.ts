import { randomUUID } from "node:crypto";
import { connect } from "node:net";

/** The kinds of request that a failing region is met with. */
export const KINDS = {
  GET: "GET / HTTP/1.1\r\n",
  HEAD: "HEAD / HTTP/1.1\r\n",
  "GET with a body": "GET / HTTP/1.1\r\ncontent-length: 4\r\n",
  POST: "POST / HTTP/1.1\r\ncontent-length: 4\r\n",
  upgrade:
    "GET / HTTP/1.1\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
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
export async function ask(httpUrl: string, kind: Kind): Promise<Asked> {
  const id = randomUUID();
  const connection = kind === "upgrade" ? "upgrade" : "close";
  const head = `${KINDS[kind]}host: x\r\nx-id: ${id}\r\nconnection: ${connection}\r\n\r\n`;
  const text = await wire(httpUrl, KINDS[kind].includes("content-length") ? `${head}body` : head);
  const { saw, body } = understood(text, kind);
  return { id, saw, body };
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
  const final = text.replace(
    /^(HTTP\/1\.1 10[0-24-9] [\s\S]*?\r\n\r\n|HTTP\/1\.1 103 [\s\S]*?\r\n\r\n)*/,
    "",
  );
  const [, status] = /^HTTP\/1\.1 (\d+) /.exec(final) ?? [];
  const headEnd = final.indexOf("\r\n\r\n");
  if (status === undefined || headEnd < 0) {
    const [, agreed] = /^HTTP\/1\.1 (101) [\s\S]*x-meridian-region: (\w+)/i.exec(text) ?? [];
    if (agreed !== undefined) return { saw: `101 ${/x-meridian-region: (\w+)/i.exec(text)?.[1]}`, body: "" };
    return { saw: "nothing", body: "" };
  }
  const head = final.slice(0, headEnd);
  const rest = final.slice(headEnd + 4);
  const { body, whole } = kind === "HEAD" ? { body: rest, whole: rest === "" } : framed(head, rest);
  const region = /^x-meridian-region: (\w+)$/im.exec(head)?.[1];
  const from = region ?? (/"fault":"(\w+)"/.exec(body)?.[1] || "nobody");
  return { saw: `${status} ${from}${whole ? "" : " cut"}`, body };
}

function framed(head: string, rest: string): { body: string; whole: boolean } {
  if (/^transfer-encoding: chunked$/im.test(head)) {
    const body = rest.replaceAll(/[0-9a-f]+\r\n([\s\S]*?)\r\n/gi, "$1");
    return { body, whole: /(^|\r\n)0\r\n(\S+: .*\r\n)*\r\n$/.test(rest) };
  }
  const length = /^content-length: (\d+)$/im.exec(head)?.[1];
  return { body: rest, whole: length === undefined || rest.length === Number(length) };
}
