import { createReadStream } from "node:fs";

/** Far above any real configuration, far below what hurts: a mistyped path may name a log or a device. */
const MOST_BYTES = 1_048_576;

/** The text of a file or why there is none. */
export type TextRead =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly hint: string | null };

/** Reads a text in UTF-8; `-` is standard input. Never rejects. */
export async function readText(file: string): Promise<TextRead> {
  try {
    const bytes = await readBytes(file === "-" ? process.stdin : createReadStream(file));
    if (bytes === null) return unreadable("longer than 1 MiB", "is this the right file?");
    return { ok: true, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (cause) {
    if (cause instanceof TypeError) return unreadable("not UTF-8 text", "is this the right file?");
    return unreadable(`cannot be read: ${wordingOf(cause)}`, null);
  }
}

async function readBytes(stream: AsyncIterable<Buffer>): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MOST_BYTES) return null;
  }
  return Buffer.concat(chunks);
}

function unreadable(message: string, hint: string | null): TextRead {
  return { ok: false, message, hint };
}

function wordingOf(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const known: Readonly<Record<string, string>> = {
    ENOENT: "no such file",
    EACCES: "permission denied",
    EISDIR: "it is a directory",
  };
  return known[code] ?? (cause instanceof Error ? cause.message : String(cause));
}
