import { parseConfig } from "../../../src/config/load.ts";
import { readCookie } from "../../../src/consistency/cookies.ts";
import { claimIn, tokenIn, unverifiedClaims } from "../../../src/consistency/jwt.ts";
import { Signer } from "../../../src/consistency/signer.ts";
import { readPinRequest } from "../../../src/proxy/pin-request.ts";
import { readProxyHeader } from "../../../src/proxy/proxy-header.ts";
import { readTarget } from "../../../src/proxy/target.ts";
import { readAnswer } from "../../../src/regions/answer.ts";
import { readPosition } from "../../../src/routing/position.ts";

/** Something that reads texts, and the texts that are hardest on such readers. */
export interface Reader {
  readonly name: string;
  readonly read: (text: string) => unknown;
  readonly texts: readonly ((size: number) => string)[];
  /** As large as a text gets before somebody else refuses it. */
  readonly most: number;
}

/** This many times the text. */
const TIMES = 8;
/** Twice as much as a text of that size is worth, and noise; what grows with the square takes 64 times as long. */
const AT_MOST = 28;
/** A time that a clock can tell from nothing. */
const LEAST_MS = 1;
const REPEATS = 5;
/** What takes so long is not measured again: it is far above noise. */
const LONG_MS = 100;

const SIGNER = new Signer(["a-secret-that-only-tests-use"]);

const repeated =
  (...units: readonly string[]) =>
  (size: number): string =>
    units.length === 1
      ? (units[0] ?? "").repeat(Math.ceil(size / (units[0]?.length ?? 1)))
      : (units[0] ?? "") + (units[1] ?? "").repeat(size) + (units[2] ?? "");

const lines = (size: number): string =>
  Array.from({ length: Math.ceil(size / 10) }, (_, index) => `k${index}: 1`).join("\n");

const target = (url: string, host: string): unknown =>
  readTarget({
    url,
    httpVersion: "1.1",
    headers: { host },
    rawHeaders: ["Host", host],
  } as unknown as Parameters<typeof readTarget>[0]);

const inBase64 = (text: string): string => `e30.${Buffer.from(text).toString("base64url")}.`;

export const READERS: readonly Reader[] = [
  {
    name: "cookies",
    read: (text) => readCookie(text, "meridian_pin"),
    texts: [
      repeated(";"),
      repeated("a=b; "),
      repeated("="),
      repeated("meridian_pin="),
      repeated("meridian_pin=;"),
      repeated(" "),
    ],
    most: 1 << 20,
  },
  {
    name: "signed texts",
    read: (text) => SIGNER.verify("pin", text),
    texts: [repeated("."), repeated("a"), repeated("a."), repeated("\ud800")],
    most: 1 << 20,
  },
  {
    name: "tokens",
    read: (text) => claimIn(unverifiedClaims(tokenIn(text) ?? ""), "a.b"),
    texts: [repeated("Bearer ", " ", "a"), repeated("a."), repeated("a.", "a", "!"), repeated(".")],
    most: 1 << 20,
  },
  {
    name: "claims",
    read: (text) => claimIn(unverifiedClaims(inBase64(text)), "a.".repeat(50)),
    texts: [repeated("["), repeated('{"a":'), repeated('{"a":"', "x", '"}')],
    most: 1 << 18,
  },
  {
    name: "probe answers",
    read: (text) => readAnswer("application/json", text),
    texts: [
      repeated("["),
      repeated('{"lagMs":'),
      repeated('{"status":"', "x", '"}'),
      repeated(" "),
      repeated('{"lagMs":', "9", "}"),
    ],
    most: 1 << 18,
  },
  {
    name: "kinds of probe answers",
    read: (text) => readAnswer(text, "{}"),
    texts: [repeated("json"), repeated("jso n;"), repeated(" ")],
    most: 1 << 18,
  },
  {
    name: "positions",
    read: readPosition,
    texts: [repeated("0"), repeated("1:", "0", "x"), repeated(":")],
    most: 1 << 20,
  },
  {
    name: "pin requests",
    read: readPinRequest,
    texts: [repeated("["), repeated('{"kind":"', "x", '"}'), repeated('{"kind":')],
    most: 1 << 18,
  },
  {
    name: "targets",
    read: (text) => target(text, "raw.test"),
    texts: [
      repeated("/"),
      repeated("/", "?", "#"),
      repeated("http://", "a", "!"),
      repeated("http://", "a:", ""),
      repeated("/", "%2f", "\\"),
    ],
    most: 1 << 20,
  },
  {
    name: "hosts",
    read: (text) => target("/", text),
    texts: [
      repeated("a"),
      repeated("a."),
      repeated("[", ":", "]"),
      repeated("a", ":1", ""),
      repeated("a", ".", "!"),
    ],
    most: 1 << 20,
  },
  {
    name: "PROXY headers",
    read: (text) => readProxyHeader(Buffer.from(text, "latin1")),
    texts: [repeated("PROXY ", " ", ""), repeated("PROXY TCP4 ", "1.", "")],
    most: 1 << 20,
  },
  {
    name: "configurations",
    read: (text) => parseConfig(text, {}),
    texts: [
      lines,
      repeated("["),
      repeated("- "),
      repeated("a: ", "x", ""),
      repeated("#"),
      repeated('a: "', "\\n", '"'),
      repeated("a: &a ", "[", ""),
      repeated("a: ", "\u0024{A} ", ""),
      repeated("? "),
      repeated("\n"),
    ],
    most: 1 << 16,
  },
];

/**
 * By how much more time one text takes than one that is {@link TIMES} times shorter, at the largest of sizes that take any time at
 * all; null when none does.
 */
function growthOf({ read, most }: Reader, text: (size: number) => string): number | null {
  for (let size = 1 << 10; size * TIMES <= most; size *= 4) {
    const shortMs = timeOf(read, text(size));
    if (shortMs < LEAST_MS) continue;
    return timeOf(read, text(size * TIMES)) / shortMs;
  }
  return null;
}

/** The least of several times: the others were somebody else's. */
function timeOf(read: Reader["read"], text: string): number {
  let leastMs = Number.POSITIVE_INFINITY;
  let spentMs = 0;
  for (let times = 0; times < REPEATS && spentMs < LONG_MS; times += 1) {
    const startedMs = performance.now();
    read(text);
    const tookMs = performance.now() - startedMs;
    leastMs = Math.min(leastMs, tookMs);
    spentMs += tookMs;
  }
  return leastMs;
}

/** The texts, by their number, that take a reader much more time than their length is worth, each time that it is tried. */
export function blowUpsOf(reader: Reader, tries = 3): readonly number[] {
  return reader.texts.flatMap((text, index) => {
    const blowsUp = (): boolean => (growthOf(reader, text) ?? 0) > AT_MOST;
    return Array.from({ length: tries }).every(blowsUp) ? [index] : [];
  });
}
