/**
 * Whom an address stands for, as a text that is the same for all that he can call from: an IPv4 address also when it
 * comes mapped into IPv6, and of an IPv6 address the /64 that one host is given whole.
 */
export function callerAddress(address: string | undefined): string {
  const [plain = ""] = (address ?? "unknown").split("%");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!plain.includes(":") || plain === "::1") return plain;
  return `${networkOf(plain)}::/64`;
}

/** The first four groups, without leading zeros. */
function networkOf(address: string): string {
  const [before = "", after] = address.toLowerCase().split("::");
  const first = before === "" ? [] : before.split(":");
  const last = after === undefined || after === "" ? [] : after.split(":");
  const last16Bits = last.at(-1)?.includes(".") ? 1 : 0;
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length - last16Bits) }, () => "0");
  const groups = after === undefined ? first : [...first, ...zeros, ...last];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
