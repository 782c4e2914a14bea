/** A user, hashed: the first 22 characters of base64url(HMAC-SHA256(secret, kind|identity)). */
export type Pid = string;

/** One live pin of a user, for the operator's eyes. */
export interface PinInspection {
  readonly pid: Pid;
  /** How long reads stay with the writer, in milliseconds from now. */
  readonly remainingMs: number;
  /** Writes that hold it open. */
  readonly writes: number;
}

/**
 * Where pins live: a set of (writeId, deadline) for every user. Both stores pass one contract suite.
 * Every operation is idempotent, and only ever extends a pin or touches its own member, because a command
 * that timed out may still run later. Deadlines are by the store's own clock.
 */
export interface PinStore {
  /** False while it is known to be away. A store that never goes away has none. */
  readonly isUp?: boolean;
  /** Opens (or renews) the intent of one write for each user. Resolves when the store has it; rejects otherwise. */
  begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void>;
  /** Sets this write's own deadline to `ttlMs` from now; 0 removes it. Other writes' members are untouched. */
  end(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void>;
  /** Milliseconds until the last pin among these users ends; 0 when there is none. */
  remaining(pids: readonly Pid[]): Promise<number>;
  inspect(pid: Pid): Promise<PinInspection | null>;
  /** Drops every pin of a user; an operator's decision. */
  release(pid: Pid): Promise<boolean>;
  /**
   * Has `welcome` called each time before the store counts as up, from its first contact on. A store that never goes
   * away has none. For one listener, to be set before that contact.
   */
  onReturn?(welcome: Welcome): void;
  /** Which part of the store has this user's pins, where parts fail and come back by themselves. */
  partOf?(pid: Pid): number;
  close(): Promise<void>;
}

/** What a store that had been away is found to be. */
export interface Return {
  /** For how long it has forgotten nothing, in milliseconds. */
  readonly memoryMs: number;
  /** Whether it, or the connection, had failed since it was last up; false at an ordinary start. */
  readonly afterOutage: boolean;
  /** Which part of the store it is, see `partOf`. Left out: there are no parts. */
  readonly part?: number;
}

/**
 * Makes the most of a store that is back: the store itself, which answers already. Resolves to a word for the news
 * of it, or rejects when it failed again.
 */
export type Welcome = (found: Return, store: PinStore) => Promise<string | null>;
