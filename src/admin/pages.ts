import { isIP, isIPv6 } from "node:net";
import type { Config } from "../config/schema.ts";
import { Refusal } from "./problems.ts";

/** By which a browser gives away that a page makes the call. */
export interface PageHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly "sec-fetch-site"?: string | string[] | undefined;
  readonly "sec-fetch-mode"?: string | string[] | undefined;
}

/** What of `admin` says whom the listener takes for its own. */
type Listener = Pick<Config["admin"], "host" | "tokens">;

/**
 * Throws a {@link Refusal} for a call that a web page of somebody else makes an operator's browser send. The Origin
 * header gives away what it posts, Sec-Fetch-Site what it embeds. A page that has rebound its own name to this address
 * (DNS rebinding) is of the same origin, so the name itself must be one that cannot be rebound; without a token to
 * know, that holds for every call.
 */
export function refusePages(headers: PageHeaders, admin: Listener): void {
  refuseForeignOrigin(headers, admin);
  refuseEmbedding(headers);
  if (admin.tokens.length > 0 || isOwnName(headers.host, admin)) return;
  throw new Refusal(
    "foreign_origin",
    "without tokens this API answers only to localhost; check the Host header",
  );
}

function refuseForeignOrigin({ origin, host }: PageHeaders, admin: Listener): void {
  if (origin === undefined) return;
  const same = URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
  if (same && (isOwnName(host, admin) || isAddress(host))) return;
  throw new Refusal("foreign_origin", `requests made by pages of ${origin.slice(0, 100)} are not accepted`);
}

/** A link from elsewhere may lead here; an image, a script or a fetch may not. */
function refuseEmbedding(headers: PageHeaders): void {
  const site = headers["sec-fetch-site"];
  if (site === undefined || site === "same-origin" || site === "none") return;
  if (headers["sec-fetch-mode"] === "navigate") return;
  throw new Refusal("foreign_origin", "requests made by pages of other sites are not accepted");
}

/** A name of this machine, or the one that the listener is configured with. */
function isOwnName(host: string | undefined, { host: configured }: Listener): boolean {
  const own = isIPv6(configured) ? `[${configured}]` : configured.toLowerCase();
  return ["localhost", "127.0.0.1", "[::1]", own].includes(nameIn(host));
}

/** Nobody's DNS says where an address leads. */
function isAddress(host: string | undefined): boolean {
  return isIP(nameIn(host).replace(/^\[|\]$/g, "")) !== 0;
}

function nameIn(host: string | undefined): string {
  return (host ?? "").replace(/:\d+$/, "").toLowerCase();
}
