import { BY_WRITER, type Hold, joinedHolds, newestOfEach } from "../routing/hold.ts";
import { type Position, readPosition } from "../routing/position.ts";

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

/** A user's live pin as a read has to know it. */
export interface Held {
  /** Milliseconds until it ends. */
  readonly remainingMs: number;
  readonly hold: Hold;
}

/** What holds a user who goes by several names; that which ends last counts as the latest. */
export function joinedHeld(all: readonly (Held | null)[]): Held | null {
  const found = all.filter((held) => held !== null).sort((one, other) => other.remainingMs - one.remainingMs);
  const hold = found.map((held) => held.hold).reduce<Hold | null>(joinedHolds, null);
  return hold && { remainingMs: found[0]?.remainingMs ?? 0, hold };
}

/**
 * The one member in which all of a user's writes live on whose position is known: what matters of them is the
 * position. Nobody's write id, for those have a dot.
 */
export const POSITIONED = "at";

/**
 * Of so many epochs, the newest, a user's position is kept: more than there are promotions in a pin's life, and few enough
 * that an application which makes a new epoch of each write cannot swell pins and tokens.
 */
export const EPOCHS_KEPT = 4;

/** Of a user with more live writes than this, those that end first are counted as one; see {@link FOLDED}. */
export const MAX_WRITES_PER_USER = 64;
/** The member, one for each region, in which a store remembers until when, but not whose. */
export const FOLDED = "folded";

/** Marks which region took a write, where several may. */
const IN_REGION = "@";

/** The id of one write, unique among edges: `NONCE.COUNTER`, and `@REGION` where several regions take writes. */
export function writeIdIn(writeId: string, region: string | null): string {
  return region === null ? writeId : `${writeId}${IN_REGION}${region}`;
}

/** Whether it is of a write, or of several, that this region took. */
export function isIn(member: string, region: string): boolean {
  return member.split(IN_REGION)[1] === region;
}

/** As {@link FOLDED}, for a write of this id. */
export function foldedOf(writeId: string): string {
  const at = writeId.indexOf(IN_REGION);
  return at < 0 ? FOLDED : `${FOLDED}${writeId.slice(at)}`;
}

/** Whether this member stands for several writes. */
export function isShared(member: string): boolean {
  return member === POSITIONED || member === FOLDED || member.startsWith(`${FOLDED}${IN_REGION}`);
}

/** Whether this member says only that its user is held, which is what most of them are asked for. */
export function isPlain(member: string): boolean {
  return member !== POSITIONED && !member.includes(IN_REGION);
}

/** What these live members, that which ends last first, and positions hold a user to. */
export function holdOf(members: readonly string[], positions: readonly Position[]): Hold {
  const regions = members.flatMap((member) => member.split(IN_REGION).slice(1));
  const isPositioned = members.every((member) => member === POSITIONED) && positions.length > 0;
  if (regions.length === 0 && positions.length === 0) return BY_WRITER;
  return { positions: newestOfEach(positions), open: !isPositioned, regions: [...new Set(regions)] };
}

/** Reads `EPOCH:POSITION` for each epoch, separated by commas, the numbers in hex; what is none is left out. */
export function readPositions(text: string): readonly Position[] {
  return text.split(",").flatMap((one) => {
    const [epoch = "", at = ""] = one.split(":");
    return readPosition(`${Number.parseInt(epoch, 16)}:${at}`) ?? [];
  });
}

/** A position as Redis keeps it: digits enough that text compares as numbers do. */
export function fixedWidth({ epoch, at }: Position): string {
  return `${epoch.toString(16).padStart(8, "0")}:${at}`;
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
  /**
   * Sets this write's own deadline to `ttlMs` from now; 0 removes it. Other writes' members are untouched. With a
   * position the write is from then on one of the positioned, which are only ever extended.
   */
  end(pids: readonly Pid[], writeId: string, ttlMs: number, position?: Position | null): Promise<void>;
  /** Milliseconds until the last pin among these users ends; 0 when there is none. */
  remaining(pids: readonly Pid[]): Promise<number>;
  /**
   * {@link remaining} of each of these users by itself, or why it could not be asked. Left out by a store that gains
   * nothing by being asked for many at once.
   */
  remainingOfEach?(pids: readonly Pid[]): Promise<readonly (number | Error)[]>;
  /** What holds these users, all together; null when nothing does. Says more than {@link remaining}, and costs more. */
  held(pids: readonly Pid[]): Promise<Held | null>;
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
