import { BlockList, isIPv6 } from "node:net";

/** So many peers are remembered at most. */
const MOST_KNOWN = 1_000;

/** Peers whose forwarding headers are believed; everybody else's are replaced. */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;
  /** What was found of peers that came before: each request asks, and finding it takes a microsecond. */
  readonly #known = new Map<string, boolean>();

  /** @param networks addresses (`10.0.0.1`) and networks (`10.0.0.0/8`), validated by the configuration */
  constructor(networks: readonly string[]) {
    this.#isEmpty = networks.length === 0;
    for (const network of networks) {
      const [address = "", prefix] = network.split("/");
      const family = isIPv6(address) ? "ipv6" : "ipv4";
      if (prefix === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(prefix), family);
    }
  }

  trusts(address: string | undefined): boolean {
    if (this.#isEmpty || address === undefined) return false;
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    const isTrusted = this.#list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(address, isTrusted);
    return isTrusted;
  }
}
