import { randomUUID } from "node:crypto";
import { isIPv6, type Socket } from "node:net";
import type { Config } from "../config/schema.ts";
import type { ConnectionRefusal, EventBus, OverloadCause } from "../events.ts";
import { type DescriptorShares, shareDescriptors } from "./descriptors.ts";
import { refuseSocket } from "./refuse.ts";
import { TrustedProxies } from "./trust.ts";

export interface ConnectionLimitsParts {
  readonly events: EventBus;
  /** Why no new connections are taken at all; null when they are. */
  readonly overload: () => OverloadCause | null;
  /** How many descriptors this process may have. */
  readonly descriptors: number;
  /** Descriptors taken by the other ends of tunnels, which no other limit bounds. */
  readonly tunnels: () => number;
}

/** Says of each new connection whether it is taken, before anything is read from it. */
export class ConnectionLimits {
  readonly #parts: ConnectionLimitsParts;
  readonly #byAddress = new Map<string, number>();
  #limits: Config["limits"];
  #shares: DescriptorShares;
  #trusted: TrustedProxies;
  #taken = 0;
  #farewells = 0;

  constructor(config: Config, parts: ConnectionLimitsParts) {
    this.#parts = parts;
    this.#limits = config.limits;
    this.#shares = shareDescriptors(parts.descriptors, config);
    this.#trusted = new TrustedProxies(config.listen.trustedProxies);
    this.#warnOfFew();
  }

  configure(config: Config): void {
    this.#limits = config.limits;
    this.#shares = shareDescriptors(this.#parts.descriptors, config);
    this.#trusted = new TrustedProxies(config.listen.trustedProxies);
    this.#warnOfFew();
  }

  /** How many connections are taken, at most. */
  get most(): number {
    return Math.min(this.#limits.connections, this.#shares.clients);
  }

  /**
   * Takes a connection, or refuses it and sees it off. One that speaks HTTP from its first byte is told why, as long as
   * that costs little; any other is reset.
   */
  admit(socket: Socket, { inClear }: { readonly inClear: boolean }): boolean {
    // Reset before we came to it.
    if (socket.destroyed) return false;
    const address = this.#countedAddress(socket.remoteAddress);
    const cause = this.#refusal(address);
    if (cause === null) {
      this.#take(socket, address);
      return true;
    }
    this.#parts.events.emit("connectionRefused", { cause, address: cause === "address" ? address : null });
    if (inClear) this.#sayFarewell(socket);
    else socket.resetAndDestroy();
    return false;
  }

  /** Takes the client that a proxy has named, whose connection was taken before; or refuses it and sees it off. */
  admitBehindProxy(socket: Socket, client: string, { inClear }: { readonly inClear: boolean }): boolean {
    const address = this.#countedAddress(client);
    if (address === null) return true;
    if ((this.#byAddress.get(address) ?? 0) < this.#limits.connectionsPerAddress) {
      this.#count(socket, address);
      return true;
    }
    this.#parts.events.emit("connectionRefused", { cause: "address", address });
    if (inClear) this.#sayFarewell(socket);
    else socket.resetAndDestroy();
    return false;
  }

  /** A proxy whose connection did not begin as it must: what it speaks for nobody knows. */
  turnAway(socket: Socket): void {
    this.#parts.events.emit("connectionRefused", { cause: "proxy_header", address: null });
    socket.destroy();
  }

  #warnOfFew(): void {
    const { connections } = this.#limits;
    const { clients } = this.#shares;
    if (clients >= connections / 2) return;
    const detail = `enough for ${clients} connections of the ${connections} in limits.connections; raise the limit of open files`;
    this.#parts.events.emit("warned", { what: "few descriptors", detail });
  }

  #refusal(address: string | null): ConnectionRefusal | null {
    const { connections, connectionsPerAddress } = this.#limits;
    if (this.#taken >= connections) return "connections";
    if (this.#taken + this.#parts.tunnels() >= this.#shares.clients) return "descriptors";
    if (address !== null && (this.#byAddress.get(address) ?? 0) >= connectionsPerAddress) return "address";
    return this.#parts.overload();
  }

  #take(socket: Socket, address: string | null): void {
    this.#taken += 1;
    socket.once("close", () => {
      this.#taken -= 1;
    });
    if (address !== null) this.#count(socket, address);
  }

  #count(socket: Socket, address: string): void {
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
    socket.once("close", () => this.#release(address));
  }

  #release(address: string): void {
    const left = (this.#byAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
  }

  /** Null when this one may have any number of connections. */
  #countedAddress(address: string | undefined): string | null {
    if (this.#limits.connectionsPerAddress === 0 || address === undefined) return null;
    return this.#trusted.trusts(address) ? null : networkOf(address);
  }

  #sayFarewell(socket: Socket): void {
    if (this.#farewells >= this.#shares.farewells) return void socket.resetAndDestroy();
    this.#farewells += 1;
    socket.once("close", () => {
      this.#farewells -= 1;
    });
    refuseSocket(socket, "overloaded", randomUUID());
  }
}

/** Who has one address of an IPv6 network of 64 bits has all of them; an IPv4 address in IPv6 stays one. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = "", tail] = address.split("%")[0]?.split("::") ?? [];
  const [left, right] = [head, tail ?? ""].map((half) => (half === "" ? [] : half.split(":")));
  const missing = tail === undefined ? 0 : 8 - (left?.length ?? 0) - (right?.length ?? 0);
  const groups = [...(left ?? []), ...Array<string>(Math.max(0, missing)).fill("0"), ...(right ?? [])];
  return `${groups.slice(0, 4).join(":")}::/64`;
}
