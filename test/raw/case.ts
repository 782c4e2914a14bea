/** What becomes of a message that could be read in two ways, or is wrong. */
export type Verdict =
  /** Nobody behind the proxy sees it: the client gets an error of the proxy's own, or a closed connection. */
  | "refused"
  /** It is passed on, but only in a form that has one reading. */
  | "normalised"
  /** It is passed on as it is. */
  | "passed"
  /** An answer had begun, and the client sees that it did not end. */
  | "cut"
  /** Nothing happens: the rest of it is waited for. */
  | "waits";

/** What the region answers. */
export interface Answer {
  /** Each piece in a packet of its own. */
  readonly bytes: string | readonly string[];
  /** Once it has the whole request (as is usual), or its head. */
  readonly when?: "request" | "head";
  readonly ends?: "keep" | "close" | "reset";
}

/** What the region must have seen, and the client must have got, where it is not all the same. */
export interface Sees {
  readonly method?: string;
  readonly target?: string;
  readonly host?: string;
  readonly body?: string;
  /** Header lines of one name, exactly. */
  readonly fields?: Readonly<Record<string, readonly string[]>>;
}

/** One attack, or one clause of an RFC, as bytes. `{id}` in them becomes four characters that no other case has. */
export interface RawCase {
  readonly group: string;
  /** Says the attack or the clause. */
  readonly name: string;
  /** What the client sends; each next piece once something was answered, or a while has passed. */
  readonly send: string | readonly string[];
  /** What the region answers, when what matters is that. */
  readonly answer?: Answer;
  /** What is safe, and allowed by the RFC. */
  readonly may: readonly Verdict[];
  /** What Meridian does. */
  readonly does: Verdict;
  /** With which status; null: whichever, or none. */
  readonly status: number | null;
  /** Bytes that show, at the other side, that it was passed on as it is. */
  readonly doubt?: RegExp | string;
  /** Whose connection must carry nothing more once it was refused, or cut. */
  readonly closes: "client" | "region" | null;
  /** Whatever became of it. */
  readonly closesAnyway?: boolean;
  readonly sees?: Sees;
}

type Options = Partial<Omit<RawCase, "group" | "name" | "send" | "does">>;

/** A case whose group is given later. */
export type Row = Omit<RawCase, "group">;

/** The RFC says to refuse it, or lets a recipient do so, and nothing behind the edge may see it. */
export function refused(name: string, send: RawCase["send"], options: Options = {}): Row {
  return { name, send, may: ["refused"], does: "refused", status: 400, closes: "client", ...options };
}

/** It has one reading, but not in this form. */
export function normalised(
  name: string,
  send: RawCase["send"],
  doubt: RegExp | string,
  options: Options = {},
): Row {
  return {
    name,
    send,
    may: ["refused", "normalised"],
    does: "normalised",
    status: 200,
    doubt,
    closes: null,
    ...options,
  };
}

/** There is nothing wrong with it. */
export function passed(name: string, send: RawCase["send"], options: Options = {}): Row {
  return { name, send, may: ["normalised", "passed"], does: "passed", status: 200, closes: null, ...options };
}

/** The client has not said all of it. */
export function waits(name: string, send: RawCase["send"], options: Options = {}): Row {
  return { name, send, may: ["waits", "refused"], does: "waits", status: null, closes: null, ...options };
}

/** Options of what the RFC lets a recipient forgive, if nothing of the doubt goes on. */
export function leniently(doubt: RegExp | string, options: Options = {}): Options {
  return { may: ["refused", "normalised"], doubt, ...options };
}

export function inGroup(group: string, rows: readonly Row[]): readonly RawCase[] {
  return rows.map((row) => ({ group, ...row }));
}

export const HOST = "Host: raw.test\r\n";

/** A request without a body; `lines` are header lines with their CRLF. */
export function get(lines = "", target = "/{id}", method = "GET"): string {
  return `${method} ${target} HTTP/1.1\r\n${HOST}${lines}\r\n`;
}

export function post(lines: string, body = "", target = "/{id}", method = "POST"): string {
  return `${method} ${target} HTTP/1.1\r\n${HOST}${lines}\r\n${body}`;
}

/** With its length. */
export function sized(body: string, method = "POST", lines = ""): string {
  return post(`Content-Length: ${body.length}\r\n${lines}`, body, "/{id}", method);
}

export const CHUNKED = "Transfer-Encoding: chunked\r\n";

export function chunk(data: string): string {
  return `${data.length.toString(16)}\r\n${data}\r\n`;
}

/** A body in one chunk. */
export function chunked(body: string, method = "POST", lines = ""): string {
  return post(`${CHUNKED}${lines}`, `${chunk(body)}0\r\n\r\n`, "/{id}", method);
}

/** What a smuggler wants the region to see as a request of its own. */
export const SMUGGLED = "GET /{id}/smuggled HTTP/1.1\r\nHost: raw.test\r\n\r\n";
