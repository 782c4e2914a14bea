/** What edges share: texts by name. */
export type Fields = ReadonlyMap<string, string>;

/** What an edge has said of itself, and when by the shared clock. */
export interface Said {
  readonly atMs: number;
  readonly text: string;
}

/**
 * The one memory of a fleet: a hash in Redis, or for a lone edge one in its process. Everything that edges agree on
 * (topology, admissions, drills) is a few fields of it, and everything is changed in one way: a compare-and-set.
 */
export interface SharedHash {
  /** False for a lone edge, whom nobody else follows. */
  readonly isShared: boolean;
  /** The last that is known. */
  get(): Fields;
  /** What the edges have last said of themselves, by {@link selfKey}; this one too. */
  edges(): ReadonlyMap<string, Said>;
  /** This edge among the {@link edges}. */
  readonly selfKey: string;
  /** Wall-clock milliseconds by the clock that all edges share; estimated between two answers. */
  nowMs(): number;
  /** How long ago the shared memory was last heard; 0 for a lone edge. */
  heardMsAgo(): number;
  /** Calls back after every change of a field, until the function it returns is called. */
  onChange(listener: (fields: Fields) => void): () => void;
  /** Calls back whenever the memory was heard, after what has changed is known. */
  onHeard(listener: () => void): () => void;
  /** What this edge says of itself, made anew each time. */
  say(make: () => string): void;
  /**
   * Asks. Resolves when an answer to a question that was put after this call has been followed; to false when there was
   * none. Calls that meet are one question.
   */
  refresh(): Promise<boolean>;
  /** Sets fields, whatever they were. Resolves when it is stored; rejects with {@link SharedAway}. */
  set(changes: Changes): Promise<void>;
  /**
   * Sets fields if `guard` still has this text; nothing and the empty text are the same. Resolves to whether it did; rejects
   * with {@link SharedAway}, and then it may have.
   */
  setIf(guard: string, expected: string, changes: Changes): Promise<boolean>;
  /** Puts a text in front of a list, of which `most` are kept. Rejects with {@link SharedAway}, and then it may have. */
  push(list: string, text: string, most: number): Promise<void>;
  /** The texts of a list, the newest first. Rejects with {@link SharedAway}. */
  list(name: string): Promise<readonly string[]>;
  /** Reads what is stored and goes on following it. Resolves even when there is no answer. */
  start(): Promise<void>;
  /** Says that this edge is gone, if it can. */
  close(): Promise<void>;
}

export type Changes = Readonly<Record<string, string>>;

/** The shared memory did not confirm a change. */
export class SharedAway extends Error {
  override name = "SharedAway";
}
