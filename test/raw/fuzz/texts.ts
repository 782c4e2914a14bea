import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { parseConfig } from "../../../src/config/load.ts";
import type { Config } from "../../../src/config/schema.ts";
import { readCookie, readSetCookie, setCookie } from "../../../src/consistency/cookies.ts";
import {
  claimIn,
  fittingKeys,
  tokenIn,
  unverifiedClaims,
  verifiedClaims,
} from "../../../src/consistency/jwt.ts";
import { Signer } from "../../../src/consistency/signer.ts";
import { CLOCK_SKEW_MS, PinTokens } from "../../../src/consistency/token.ts";
import { AffinityCookies } from "../../../src/proxy/affinity-cookie.ts";
import { readPinRequest } from "../../../src/proxy/pin-request.ts";
import { readProxyHeader } from "../../../src/proxy/proxy-header.ts";
import { readTarget } from "../../../src/proxy/target.ts";
import { readAnswer } from "../../../src/regions/answer.ts";
import { readPosition } from "../../../src/routing/position.ts";

export interface TextProperty {
  readonly name: string;
  readonly property: fc.IProperty<[unknown]> | fc.IAsyncProperty<[unknown]>;
}

const WALL_MS = 1_700_000_000_000;
const CLOCK = { now: () => 0, wall: () => WALL_MS };
const SIGNER = new Signer(["a-secret-that-only-tests-use"]);
const CONFIG = smallestConfig();
const TOKENS = new PinTokens(CONFIG, { signer: SIGNER, clock: CLOCK });
const AFFINITY = new AffinityCookies(CONFIG, { signer: SIGNER, clock: CLOCK });
const FULL_FILE = readFileSync(new URL("../../../config/meridian.yaml", import.meta.url), "utf8");
const FULL_ENVIRONMENT = { MERIDIAN_SECRET: "a-secret-that-only-tests-use" };

function smallestConfig(): Config {
  const loaded = parseConfig("regions: { main: { role: writer, endpoints: [http://10.0.0.1] } }", {});
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

const latin1 = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)) });
const anything = fc.oneof(fc.string({ unit: "binary" }), latin1, fc.string());

/** A text with a few characters put in, taken out or changed. */
function broken(text: string): fc.Arbitrary<string> {
  const change = fc.tuple(
    fc.nat(text.length),
    fc.nat(3),
    fc.oneof(fc.constantFrom("", "|", ":", ".", ",", "-", "\0"), fc.string()),
  );
  return fc
    .array(change, { minLength: 1, maxLength: 4 })
    .map((changes) =>
      changes.reduce((now, [at, gone, put]) => now.slice(0, at) + put + now.slice(at + gone), text),
    );
}

/** JSON as nobody sane would answer it: keys of every object's prototype are among the keys. */
const nastyKey = fc.constantFrom(
  "status",
  "writer",
  "epoch",
  "applied",
  "lagMs",
  "toString",
  "valueOf",
  "constructor",
  "__proto__",
  "toJSON",
  "length",
  "sub",
);
const { nasty } = fc.letrec<{ nasty: unknown }>((tie) => ({
  nasty: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(null, true, 0, -1, 1e308, "", "ok", "00000000000004d2"),
    fc.string(),
    fc.double(),
    fc.array(tie("nasty"), { maxLength: 3 }),
    fc
      .array(fc.tuple(nastyKey, tie("nasty")), { maxLength: 4 })
      .map((entries) => Object.fromEntries(entries)),
  ),
}));
const nastyJson = nasty.map((value) => JSON.stringify(value) ?? "null");

/** `compact` with each part in base64url. */
const jwt = fc
  .tuple(fc.oneof(nastyJson, anything), fc.oneof(nastyJson, anything), anything)
  .map((parts) => parts.map((part) => Buffer.from(part).toString("base64url")).join("."));

function checkToken(token: ReturnType<PinTokens["read"]>): void {
  if (token === null) return;
  assert.ok(token.remainingMs >= 0 && token.remainingMs <= CONFIG.consistency.maxPin + CLOCK_SKEW_MS);
  assert.ok(Number.isSafeInteger(token.epoch));
}

function checkClaim(text: string): void {
  const token = tokenIn(text);
  const claims = token === null ? null : unverifiedClaims(token);
  for (const name of ["sub", "a.b", "__proto__", "constructor.name", "toString"]) {
    const claim = claimIn(claims, name);
    assert.ok(claim === null || (typeof claim === "string" && claim !== ""));
  }
  fittingKeys(text, []);
}

const targetHead = fc.record({ url: anything, host: anything, httpVersion: fc.constantFrom("1.0", "1.1") });

function checkTarget({ url, host, httpVersion }: { url: string; host: string; httpVersion: string }): void {
  const req = { url, httpVersion, headers: { host }, rawHeaders: ["Host", host] };
  const target = readTarget(req as unknown as Parameters<typeof readTarget>[0]);
  if (typeof target === "string") return;
  assert.match(target.url, /^\//);
  assert.ok(target.url.startsWith(target.path) && !target.path.includes("?"));
  assert.doesNotMatch(target.host, /[^A-Za-z0-9._:[\]-]/);
}

const VALID_TOKEN = TOKENS.issue(10_000, 3);
const VALID_COOKIE = AFFINITY.write("main", "a-session", true).split(";", 1)[0] ?? "";

/** What strangers, regions and operators write, read by what reads it: no text throws, and none is believed that is not ours. */
export const TEXT_PROPERTIES: readonly TextProperty[] = [
  {
    name: "a cookie is a part of its header, or none",
    property: fc.property(fc.tuple(anything, anything), ([header, name]) => {
      const value = readCookie(header, name);
      assert.ok(value === null || (value !== "" && header.includes(value)));
      readSetCookie(header);
    }) as fc.IProperty<[unknown]>,
  },
  {
    name: "a cookie of ours reads back",
    property: fc.property(fc.base64String(), (value) => {
      const line = setCookie("name", value, { maxAgeSeconds: 1, secure: true });
      assert.deepEqual(readSetCookie(line), ["name", value]);
    }),
  },
  {
    name: "a pin token that was changed is none",
    property: fc.property(fc.oneof(broken(VALID_TOKEN), anything), (text) => {
      assert.ok(text === VALID_TOKEN || TOKENS.read(text) === null);
    }),
  },
  {
    name: "a pin token that we have signed, whatever it says, pins for no longer than a pin may last",
    property: fc.property(
      fc.oneof(anything, broken(`1:${WALL_MS}:${WALL_MS + 5_000}:3|3:00000000000004d2|main`)),
      (payload) => checkToken(TOKENS.read(SIGNER.sign("pin", payload))),
    ),
  },
  {
    name: "an affinity cookie that was changed is none",
    property: fc.property(fc.oneof(broken(VALID_COOKIE), anything), (header) => {
      assert.ok(header.includes(VALID_COOKIE) || AFFINITY.read(header) === null);
    }),
  },
  {
    name: "an affinity cookie that we have signed, whatever it says, names a region or is none",
    property: fc.property(fc.oneof(anything, broken(`main|${WALL_MS / 1_000}|s|moved`)), (payload) => {
      const home = AFFINITY.read(`meridian_affinity=${SIGNER.sign("affinity", payload)}`);
      assert.ok(home === null || typeof home.region === "string");
    }),
  },
  { name: "a claim is a text or none", property: fc.property(fc.oneof(jwt, anything), checkClaim) },
  {
    name: "a token that nobody has signed says nothing",
    property: fc.asyncProperty(fc.oneof(jwt, anything), async (text) => {
      const keys = [{ jwk: { kty: "oct", k: "AAAA" }, kid: null, algorithms: ["HS256", "none"] }];
      assert.equal(await verifiedClaims(text, keys as unknown as Parameters<typeof verifiedClaims>[1]), null);
    }),
  },
  {
    name: "a probe's answer reports numbers that are numbers",
    property: fc.property(fc.oneof(nastyJson, anything), (body) => {
      const { reported } = readAnswer("application/json", body);
      for (const number of [reported.epoch, reported.lagMs])
        assert.ok(number === null || (Number.isFinite(number) && number >= 0));
      assert.ok(reported.applied === null || /^[0-9a-f]{16}$/.test(reported.applied));
      readAnswer(body, body);
    }),
  },
  {
    name: "a position is one or none",
    property: fc.property(fc.oneof(broken("3:00000000000004d2"), anything), (text) => {
      const position = readPosition(text);
      assert.ok(position === null || Number.isSafeInteger(position.epoch));
    }),
  },
  {
    name: "the body of a pin request is one, or is told why not",
    property: fc.property(fc.oneof(nastyJson, anything), (text) => {
      const request = readPinRequest(text);
      assert.ok(typeof request === "string" || request.identities.length > 0);
    }),
  },
  { name: "a target is a path and a host, or none", property: fc.property(targetHead, checkTarget) },
  {
    name: "a PROXY header is one, or the beginning of one, or none",
    property: fc.property(
      fc.oneof(
        broken("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n"),
        broken("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"),
        latin1,
      ),
      (text) => {
        const header = readProxyHeader(Buffer.from(text, "latin1"));
        assert.ok(header.kind !== "complete" || header.length <= Buffer.byteLength(text, "latin1"));
      },
    ),
  },
  {
    name: "a configuration is one, or its problems have places",
    property: fc.property(fc.oneof(broken(FULL_FILE), anything, nastyJson), (text) => {
      const loaded = parseConfig(text, FULL_ENVIRONMENT);
      if (loaded.ok) return;
      assert.ok(loaded.problems.length > 0);
      for (const { line, column } of loaded.problems) assert.ok(line >= 1 && column >= 1);
    }),
  },
] as readonly TextProperty[];
