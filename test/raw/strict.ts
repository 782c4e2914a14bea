/**
 * A strict reader of HTTP/1 messages (RFC 9112), written for these tests alone and sharing nothing with what it judges.
 * It takes only what cannot be read in two ways; anything else is a {@link Doubt}. Text is latin1: one character, one byte.
 */
export class Doubt extends Error {
  override readonly name = "Doubt";
}

export type Fields = readonly (readonly [name: string, value: string])[];

export interface Head {
  readonly start: string;
  readonly fields: Fields;
  /** Where what follows it begins. */
  readonly end: number;
}

export interface Body {
  readonly text: string;
  readonly trailers: Fields;
  readonly end: number;
}

/** How a body ends: by its length, its chunks, or the connection's end. */
export type Framing =
  | { readonly by: "length"; readonly bytes: number }
  | { readonly by: "chunks" }
  | { readonly by: "close" };

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const FIELD = new RegExp(`^(${TOKEN}):[ \\t]*([\\t\\x20-\\x7e\\x80-\\xff]*?)[ \\t]*$`);
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"';
const CHUNK_LINE = new RegExp(`^([0-9A-Fa-f]+)((?:[ \\t]*;[ \\t]*${TOKEN}(?:=(?:${TOKEN}|${QUOTED}))?)*)$`);

/** Node's parser looks less closely at extensions, of which nothing goes on; they end where the line ends. */
const FORGIVEN_CHUNK_LINE = /^([0-9A-Fa-f]+)(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

/** Null while it has not all come. */
export function readHead(text: string, from: number): Head | null {
  const end = text.indexOf("\r\n\r\n", from);
  const seen = end === -1 ? text.slice(from) : text.slice(from, end + 2);
  if (/(?<!\r)\n|\r(?!\n|$)/.test(seen)) throw new Doubt("a bare CR or LF in the head");
  if (end === -1) return null;
  const [start = "", ...lines] = text.slice(from, end).split("\r\n");
  return { start, fields: lines.map(readField), end: end + 4 };
}

function readField(line: string): readonly [string, string] {
  const [, name, value] = FIELD.exec(line) ?? [];
  if (name === undefined || value === undefined)
    throw new Doubt(`no field line: ${JSON.stringify(line.slice(0, 60))}`);
  return [name, value];
}

export function valuesOf(fields: Fields, name: string): string[] {
  return fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

/** RFC 9112 §6.3, without what it lets a reader forgive. Null: neither length nor coding is given. */
export function framingOf(fields: Fields, version: string): Framing | null {
  const codings = valuesOf(fields, "transfer-encoding");
  const lengths = valuesOf(fields, "content-length");
  if (codings.length > 0) {
    if (version !== "1.1") throw new Doubt("Transfer-Encoding in HTTP/1.0");
    if (lengths.length > 0) throw new Doubt("Content-Length and Transfer-Encoding");
    if (codings.length > 1 || codings[0]?.toLowerCase() !== "chunked")
      throw new Doubt(`the transfer coding ${JSON.stringify(codings)}`);
    return { by: "chunks" };
  }
  if (lengths.length === 0) return null;
  const bytes = Number(lengths[0]);
  if (lengths.length > 1 || !/^\d+$/.test(lengths[0] ?? "") || !Number.isSafeInteger(bytes))
    throw new Doubt(`the Content-Length ${JSON.stringify(lengths)}`);
  return { by: "length", bytes };
}

/** Null while it has not all come. */
export function readBody(
  text: string,
  from: number,
  framing: Framing,
  { closed = false, forgiving = false } = {},
): Body | null {
  if (framing.by === "chunks") return readChunks(text, from, forgiving ? FORGIVEN_CHUNK_LINE : CHUNK_LINE);
  const end = framing.by === "length" ? from + framing.bytes : text.length;
  if (framing.by === "close" ? !closed : end > text.length) return null;
  return { text: text.slice(from, end), trailers: [], end };
}

function readChunks(text: string, from: number, chunkLine: RegExp): Body | null {
  const parts: string[] = [];
  for (let at = from; ; ) {
    const line = readLine(text, at);
    if (line === null) return null;
    const size = sizeOf(line, chunkLine);
    at += line.length + 2;
    if (size === 0) return readTrailers(text, at, parts.join(""));
    const end = at + size;
    if (!"\r\n".startsWith(text.slice(end, end + 2))) throw new Doubt("a chunk without CRLF at its end");
    if (text.length < end + 2) return null;
    parts.push(text.slice(at, end));
    at = end + 2;
  }
}

function sizeOf(line: string, chunkLine: RegExp): number {
  const [, digits] = chunkLine.exec(line) ?? [];
  if (digits === undefined) throw new Doubt(`the chunk line ${JSON.stringify(line.slice(0, 60))}`);
  const size = Number.parseInt(digits, 16);
  if (!Number.isSafeInteger(size)) throw new Doubt("a chunk size beyond 2^53");
  return size;
}

function readTrailers(text: string, from: number, body: string): Body | null {
  const trailers: (readonly [string, string])[] = [];
  for (let at = from; ; ) {
    const line = readLine(text, at);
    if (line === null) return null;
    at += line.length + 2;
    if (line === "") return { text: body, trailers, end: at };
    const field = readField(line);
    if (/^(content-length|transfer-encoding)$/i.test(field[0]))
      throw new Doubt("a trailer that belongs in the head");
    trailers.push(field);
  }
}

/** A line up to its CRLF; null while that has not come. */
function readLine(text: string, from: number): string | null {
  const end = text.indexOf("\n", from);
  const line = end === -1 ? text.slice(from) : text.slice(from, end + 1);
  if (end === -1 ? /\r./.test(line) : !/^[^\r]*\r\n$/.test(line))
    throw new Doubt("a bare CR or LF in a line");
  return end === -1 ? null : line.slice(0, -2);
}
