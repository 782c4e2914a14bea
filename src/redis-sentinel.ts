import { Redis, type RedisOptions } from "ioredis";

/** What Sentinels publish when another primary is in force: its name first. */
const SWITCHED = "+switch-master";

const REVIVE_AFTER_MS = 50;

/** Where one Sentinel listens. */
export interface SentinelAddress {
  readonly host: string;
  readonly port: number;
}

type SentinelOptions = Omit<RedisOptions, "sentinels" | "replyMapping"> & {
  readonly sentinels: readonly SentinelAddress[];
  readonly name: string;
};

/**
 * The primary that Sentinels name, whichever that is. A primary that is dead or demoted shows itself; one that is
 * only cut off from its Sentinels would go on taking pins that are lost when it is back. So each Sentinel that was
 * given is listened to, and the connection is made anew when one of them speaks of another primary.
 */
export class SentinelRedis extends Redis {
  readonly #watches: readonly Redis[];
  #isClosed = false;

  constructor(options: SentinelOptions) {
    super({ ...options, sentinels: [...options.sentinels] });
    this.on("end", () => this.#revive());
    this.#watches = options.sentinels.map((sentinel) => this.#watch(sentinel, options));
  }

  /** For good, unless told to `reconnect`. */
  override disconnect(reconnect = false): void {
    this.#isClosed ||= !reconnect;
    super.disconnect(reconnect);
    if (!reconnect) for (const watch of this.#watches) watch.disconnect();
  }

  /**
   * The library gives up for good when it is told to reconnect while it is asking the Sentinels, which is just when they
   * speak of another primary.
   */
  #revive(): void {
    if (this.#isClosed) return;
    setTimeout(() => {
      if (!this.#isClosed && this.status === "end") void this.connect().catch(() => {});
    }, REVIVE_AFTER_MS).unref();
  }

  /** A Sentinel that is away is no news: there are others, and it is asked for again and again. */
  #watch({ host, port }: SentinelAddress, options: SentinelOptions): Redis {
    const { sentinelUsername, sentinelPassword, sentinelTLS, connectionName, connectTimeout, retryStrategy } =
      options;
    const watch = new Redis({
      host,
      port,
      enableReadyCheck: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      ...(sentinelUsername && { username: sentinelUsername }),
      ...(sentinelPassword && { password: sentinelPassword }),
      ...(sentinelTLS && { tls: sentinelTLS }),
      ...(connectionName && { connectionName }),
      ...(connectTimeout && { connectTimeout }),
      ...(retryStrategy && { retryStrategy }),
    });
    watch.on("error", () => {});
    watch.on("ready", () => void watch.subscribe(SWITCHED).catch(() => {}));
    watch.on("message", (_, message: string) => {
      if (message.startsWith(`${options.name} `)) this.disconnect(true);
    });
    return watch;
  }
}
