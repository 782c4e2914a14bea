import { isIPv4, isIPv6 } from "node:net";

/** What the first bytes of a connection are found to be. */
export type ProxyHeader =
  /** So far it may be one. */
  | { readonly kind: "incomplete" }
  | { readonly kind: "malformed"; readonly why: string }
  /** `client` is null when the proxy speaks for itself, or for nobody that it can name. */
  | { readonly kind: "complete"; readonly length: number; readonly client: string | null };

const INCOMPLETE: ProxyHeader = { kind: "incomplete" };

/** The longest line of version 1, with its CR LF. */
const V1_MOST_BYTES = 107;
const V1_START = Buffer.from("PROXY ", "latin1");
const V1_LINE =
  /^PROXY (?:UNKNOWN(?: .*)?|TCP([46]) ([0-9a-f.:]+) ([0-9a-f.:]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4}))$/i;

const V2_SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const V2_HEAD_BYTES = 16;
/** Far more than balancers say of a client, of which nothing but the address is read. */
const V2_MOST_BYTES = 4_096;

/**
 * Reads the header of the PROXY protocol, version 1 or 2 (haproxy.org, proxy-protocol.txt), from the beginning of what a
 * connection brings. Nothing of a header is guessed: whoever writes one is a proxy, and writes it well.
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, V2_SIGNATURE)) return readVersion2(bytes);
  if (startsLike(bytes, V1_START)) return readVersion1(bytes);
  return malformed("no PROXY header");
}

function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

function malformed(why: string): ProxyHeader {
  return { kind: "malformed", why };
}

function readVersion1(bytes: Buffer): ProxyHeader {
  const text = bytes.subarray(0, V1_MOST_BYTES).toString("latin1");
  const end = text.indexOf("\r\n");
  if (end === -1) return bytes.length < V1_MOST_BYTES ? INCOMPLETE : malformed("the line does not end");
  const [line, family, source = "", destination = "", ...ports] = V1_LINE.exec(text.slice(0, end)) ?? [];
  if (line === undefined) return malformed("the line cannot be read");
  const length = end + 2;
  if (family === undefined) return { kind: "complete", length, client: null };
  const isAddress = family === "4" ? isIPv4 : isIPv6;
  const isSound = [source, destination].every((each) => isAddress(each));
  if (!isSound || ports.some((port) => Number(port) > 65_535))
    return malformed("an address or a port is none");
  return { kind: "complete", length, client: source };
}

function readVersion2(bytes: Buffer): ProxyHeader {
  if (bytes.length < V2_HEAD_BYTES) return INCOMPLETE;
  const [versionAndCommand, familyAndTransport] = [bytes.readUInt8(12), bytes.readUInt8(13)];
  const addressBytes = bytes.readUInt16BE(14);
  const command = versionAndCommand & 0x0f;
  if (versionAndCommand >> 4 !== 2) return malformed("the version is not 2");
  if (command > 1) return malformed("the command is neither LOCAL nor PROXY");
  if (addressBytes > V2_MOST_BYTES) return malformed("longer than any proxy needs");
  const length = V2_HEAD_BYTES + addressBytes;
  if (bytes.length < length) return INCOMPLETE;
  if (command === 0) return { kind: "complete", length, client: null };
  const addresses = bytes.subarray(V2_HEAD_BYTES, length);
  // Of other families and transports there is nothing to say of a client over TCP.
  if (familyAndTransport === 0x11) return named(length, addresses, 12, ipv4Of);
  if (familyAndTransport === 0x21) return named(length, addresses, 36, ipv6Of);
  return { kind: "complete", length, client: null };
}

/** The source stands first; what follows both addresses is skipped. */
function named(
  length: number,
  addresses: Buffer,
  least: number,
  read: (bytes: Buffer) => string,
): ProxyHeader {
  if (addresses.length < least) return malformed("shorter than its addresses");
  return { kind: "complete", length, client: read(addresses) };
}

function ipv4Of(bytes: Buffer): string {
  return [...bytes.subarray(0, 4)].join(".");
}

function ipv6Of(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16));
  // As everybody writes it: the longest run of zeros is left out (RFC 5952).
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
