import { connect } from "node:net";

export interface RawAnswer {
  /** Everything received, one character per byte. */
  readonly text: string;
  /** `end`: the other side closed cleanly; `reset`: with an error; `open`: it was still open when time was up. */
  readonly closed: "end" | "reset" | "open";
}

/** Sends bytes as they are and reads until the connection closes or `forMs` have passed, whichever is first. */
export function sendRaw(
  target: string | URL,
  bytes: string | Buffer,
  { forMs = 2_000 }: { forMs?: number } = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(target);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    const finish = (closed: RawAnswer["closed"]) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text: Buffer.concat(chunks).toString("latin1"), closed });
    };
    const timer = setTimeout(finish, forMs, "open");
    socket.on("connect", () =>
      socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes),
    );
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("end", () => finish("end"));
    socket.on("error", () => finish("reset"));
  });
}
