import type { Socket } from "node:net";

/** How a write says that the other side takes nothing any more. */
const CLOSED: ReadonlySet<string | undefined> = new Set(["EPIPE", "ECONNRESET"]);
/** By then the reading side has come to its end, or never will. */
const HEARD_WITHIN_MS = 1_000;

type Written = (error?: Error | null) => void;

/**
 * Whoever refuses an upload says so and closes, and what is still being sent meets a closed connection: that write would
 * fail, and end the connection, before the answer is read that says why. So its failure waits until all is read that
 * the other side has sent, whose end or error then ends the connection.
 */
export function hearOut(socket: Socket): void {
  const write = socket._write.bind(socket);
  const writev = socket._writev?.bind(socket);
  socket._write = (chunk, encoding, written) => write(chunk, encoding, patient(socket, written));
  if (writev !== undefined) socket._writev = (chunks, written) => writev(chunks, patient(socket, written));
}

function patient(socket: Socket, written: Written): Written {
  return (error) => {
    if (!CLOSED.has((error as NodeJS.ErrnoException | null | undefined)?.code)) return void written(error);
    const timer = setTimeout(() => written(error), HEARD_WITHIN_MS);
    socket.once("close", () => clearTimeout(timer));
  };
}
