import { BlockList, isIPv6 } from "node:net";

/** Peers whose forwarding headers are believed; everybody else's are replaced. */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;

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
    return this.#list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  }
}
