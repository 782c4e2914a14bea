import { type Answer, get, type RawCase, type Row } from "../case.ts";

export type AnswerOptions = Partial<Omit<RawCase, "answer">> & Omit<Answer, "bytes">;

/** A case in which it is the region that speaks oddly. */
export function answered(
  bytes: Answer["bytes"],
  name: string,
  does: RawCase["does"],
  { when = "request", ends = "keep", ...rest }: AnswerOptions = {},
): Row {
  return {
    name,
    send: get(),
    answer: { bytes, when, ends },
    may: [does],
    does,
    status: does === "refused" ? 502 : 200,
    closes: "region",
    ...rest,
  };
}

/** The client must not see it, and its connection must carry nothing more. */
export const bad = (name: string, bytes: Answer["bytes"], options: AnswerOptions = {}): Row =>
  answered(bytes, name, "refused", options);

export const good = (name: string, bytes: Answer["bytes"], options: AnswerOptions = {}): Row =>
  answered(bytes, name, "passed", {
    may: ["passed", "normalised"],
    closes: null,
    closesAnyway: true,
    ...options,
  });

/** A 200 with these header lines more. */
export const simple = (lines: string, body = "12345"): string =>
  `HTTP/1.1 200 OK\r\nX-From: {id}\r\n${lines}\r\n${body}`;

export const OK = simple("Content-Length: 5\r\n");
