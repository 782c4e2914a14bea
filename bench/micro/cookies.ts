import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import { Identities } from "../../src/consistency/identities.ts";
import { Signer } from "../../src/consistency/signer.ts";
import { PinTokens } from "../../src/consistency/token.ts";
import { AffinityCookies } from "../../src/proxy/affinity-cookie.ts";
import type { Micro } from "./measure.ts";

const SECRETS = ["a secret that only the benchmark uses"];
/** More than any cache keeps. */
const STRANGERS = 50_000;
const USERS = 1_000;

const config = configSchema.parse({ regions: {} });
const signer = new Signer(SECRETS);
const affinity = new AffinityCookies(config, { signer, clock: systemClock });
const tokens = new PinTokens(config, { signer, clock: systemClock });
const identities = new Identities(undefined, SECRETS);

const cookies = Array.from({ length: STRANGERS }, (_, i) => {
  const [cookie = ""] = affinity.write("eu-west", `session-${i}`, true).split(";", 1);
  return `theme=dark; ${cookie}; _ga=GA1.1.1234567890.1234567890`;
});
const issued = Array.from({ length: STRANGERS }, (_, i) => tokens.issue(10_000, i));
const headers = Array.from({ length: STRANGERS }, (_, i) => ({ authorization: `Bearer user-${i}` }));

/** The same thousand again and again, as if each had come over the wire: a text that was never seen is hashed anew. */
function again(texts: readonly string[]): (i: number) => string {
  return (i) => texts[i % USERS] ?? "";
}

function anew(texts: readonly string[]): (i: number) => string {
  return (i) => texts[i % STRANGERS] ?? "";
}

/** Reading what a client brings back; at first sight its signature is verified. */
export const COOKIES: readonly Micro[] = [
  reading("affinity cookie: seen before", 800, 300, again(cookies), (text) => affinity.read(text)),
  reading("affinity cookie: first sight", 9_000, 4_000, anew(cookies), (text) => affinity.read(text)),
  reading("pin token: seen before", 250, 150, again(issued), (text) => tokens.read(text)),
  reading("pin token: first sight", 9_000, 4_000, anew(issued), (text) => tokens.read(text)),
  { name: "pin token: issued", budgetNs: 6_000, budgetBytes: 2_500, run: () => tokens.issue(10_000, 1) },
  {
    name: "identity: seen before",
    budgetNs: 200,
    budgetBytes: 100,
    run: (i) => identities.identitiesOf(headers[i % USERS] ?? {}),
  },
  {
    name: "identity: first sight",
    budgetNs: 6_000,
    budgetBytes: 2_500,
    run: (i) => identities.identitiesOf(headers[i % STRANGERS] ?? {}),
  },
];

function reading(
  name: string,
  budgetNs: number,
  budgetBytes: number,
  textOf: (i: number) => string,
  read: (text: string) => unknown,
): Micro {
  return { name, budgetNs, budgetBytes, run: (i) => read(textOf(i)) };
}
