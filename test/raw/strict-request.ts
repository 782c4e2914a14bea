import { Doubt, type Fields, type Framing, framingOf, readBody, readHead, valuesOf } from "./strict.ts";

export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly fields: Fields;
  readonly body: string;
  readonly trailers: Fields;
}

export interface RequestReading {
  /** Those that are there from their first byte to their last. */
  readonly requests: readonly ReadRequest[];
  /** How many bytes they take. */
  readonly taken: number;
  /** The head of one whose body has not all come. */
  readonly begun: Omit<ReadRequest, "body" | "trailers"> | null;
  /** Why what follows the last of them is no request; null when it is one, or the beginning of one, or nothing. */
  readonly doubt: string | null;
}

/** What Node's parser takes for one beside that, and nothing of which goes on: more spaces, and RTSP's name. */
const FORGIVEN_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) +([\x21-\x7e]+) +(?:HTTP|RTSP)\/(1\.[01])$/;
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP\/(1\.[01])$/;
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/;

/** Every request that a strict recipient finds in what a connection carried. */
export function readRequests(text: string, { forgiving = false } = {}): RequestReading {
  const requests: ReadRequest[] = [];
  let taken = 0;
  try {
    for (;;) {
      const from = afterEmptyLines(text, taken);
      const head = readHead(text, from);
      if (head === null) return { requests, taken, begun: null, doubt: null };
      const begun = readRequestHead(forgiving ? FORGIVEN_LINE : REQUEST_LINE, head.start, head.fields);
      const framing: Framing = framingOf(head.fields, begun.version) ?? { by: "length", bytes: 0 };
      const body = readBody(text, head.end, framing, { forgiving });
      if (body === null) return { requests, taken, begun, doubt: null };
      requests.push({ ...begun, body: body.text, trailers: body.trailers });
      taken = body.end;
    }
  } catch (error) {
    if (error instanceof Doubt) return { requests, taken, begun: null, doubt: error.message };
    throw error;
  }
}

/** RFC 9112 §2.2: empty lines before a request line are ignored. Nothing of them is passed on, so any number and kind may be. */
function afterEmptyLines(text: string, from: number): number {
  let at = from;
  while (text[at] === "\r" || text[at] === "\n") at += 1;
  return at;
}

function readRequestHead(
  line: RegExp,
  start: string,
  fields: Fields,
): Omit<ReadRequest, "body" | "trailers"> {
  const [, method, target, version] = line.exec(start) ?? [];
  if (method === undefined || target === undefined || version === undefined)
    throw new Doubt(`no request line: ${JSON.stringify(start.slice(0, 60))}`);
  if (!isTarget(method, target)) throw new Doubt(`no target: ${JSON.stringify(target.slice(0, 60))}`);
  const hosts = valuesOf(fields, "host");
  if (hosts.length !== 1 && (version === "1.1" || hosts.length > 1))
    throw new Doubt(`${hosts.length} Host lines`);
  if (hosts[0] !== undefined && !HOST.test(hosts[0])) throw new Doubt(`the Host ${JSON.stringify(hosts[0])}`);
  return { method, target, version, fields };
}

/** RFC 9112 §3.2: the forms of a target, each where it may stand. */
function isTarget(method: string, target: string): boolean {
  if (method === "CONNECT") return HOST.test(target);
  if (target === "*") return method === "OPTIONS";
  const [, authority] = /^https?:\/\/([^/?#\\]*)[^#\\]*$/i.exec(target) ?? [];
  return authority === undefined ? /^\/[^#?\\]*(\?[^#]*)?$/.test(target) : HOST.test(authority);
}
