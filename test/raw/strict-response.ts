import { Doubt, type Fields, type Framing, framingOf, type Head, readBody, readHead } from "./strict.ts";

export interface ReadResponse {
  readonly status: number;
  readonly fields: Fields;
  readonly body: string;
}

export interface ResponseReading {
  /** Final ones, from their first byte to their last. */
  readonly responses: readonly ReadResponse[];
  readonly interim: readonly ReadResponse[];
  /** One that has begun and not ended. */
  readonly begun: ReadResponse | null;
  readonly doubt: string | null;
}

const STATUS_LINE = /^HTTP\/(1\.[01]) ([1-5]\d\d) [\t\x20-\x7e\x80-\xff]*$/;

/** Every response that a strict client finds on a connection. `methods`: of the requests they answer, in order. */
export function readResponses(text: string, methods: readonly string[], closed: boolean): ResponseReading {
  const responses: ReadResponse[] = [];
  const interim: ReadResponse[] = [];
  let at = 0;
  try {
    while (at < text.length) {
      const head = readHead(text, at);
      if (head === null) return { responses, interim, begun: null, doubt: null };
      const [, version = "", digits = ""] = STATUS_LINE.exec(head.start) ?? [];
      if (version === "") throw new Doubt(`no status line: ${JSON.stringify(head.start.slice(0, 60))}`);
      const { fields } = head;
      const status = Number(digits);
      at = head.end;
      if (status < 200 && status !== 101) {
        interim.push({ status, fields, body: "" });
        continue;
      }
      const method = methods[responses.length] ?? "GET";
      const body = readBody(text, head.end, framingFor(head, { version, status, method }), { closed });
      if (body === null)
        return { responses, interim, begun: { status, fields, body: text.slice(at) }, doubt: null };
      responses.push({ status, fields, body: body.text });
      at = body.end;
    }
    return { responses, interim, begun: null, doubt: null };
  } catch (error) {
    if (error instanceof Doubt) return { responses, interim, begun: null, doubt: error.message };
    throw error;
  }
}

interface Answering {
  readonly version: string;
  readonly status: number;
  readonly method: string;
}

/** RFC 9112 §6.3 rules 1 to 8, for a response. */
function framingFor({ fields }: Head, { version, status, method }: Answering): Framing {
  const declared = framingOf(fields, version);
  if (status === 204 && declared !== null) throw new Doubt("a 204 that announces content");
  if (status === 101) return { by: "close" };
  if (method === "HEAD" || status === 204 || status === 304) return { by: "length", bytes: 0 };
  return declared ?? { by: "close" };
}
