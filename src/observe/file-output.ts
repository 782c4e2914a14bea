import { write } from "node:fs";

/** Where log lines go: what a stream can do of what is needed. */
export interface Output {
  /** How much waits to be written. */
  readonly writableLength: number;
  write(text: string, done: (error?: Error | null) => void): unknown;
}

/** Not everything could be written. */
export class Unwritten extends Error {
  /** How many lines were. */
  readonly linesWritten: number;

  constructor(cause: Error, linesWritten: number) {
    super(cause.message, { cause });
    this.linesWritten = linesWritten;
  }
}

const NEWLINE = 0x0a;

interface Job {
  readonly bytes: Buffer;
  readonly done: (error?: Error | null) => void;
}

/**
 * A file that log lines go to, standard output that is one above all. Node's own stream for it lets the whole process wait
 * for the disk, and takes what a full disk still had room for to be all.
 */
export class FileOutput implements Output {
  writableLength = 0;
  readonly #fd: number;
  readonly #write: typeof write;
  readonly #jobs: Job[] = [];
  #isWriting = false;
  /** The last line in the file has no end, so the next must not stand behind it. */
  #isCut = false;

  constructor(fd: number, writer = write) {
    this.#fd = fd;
    this.#write = writer;
  }

  write(text: string, done: (error?: Error | null) => void): void {
    const bytes = Buffer.from(text);
    this.writableLength += bytes.length;
    this.#jobs.push({ bytes, done });
    if (!this.#isWriting) this.#next();
  }

  #next(): void {
    const job = this.#jobs.shift();
    this.#isWriting = job !== undefined;
    if (job === undefined) return;
    if (this.#isCut) this.#endLine(job);
    else this.#writeFrom(job, 0);
  }

  #endLine(job: Job): void {
    this.#write(this.#fd, Buffer.of(NEWLINE), 0, 1, null, (error) => {
      this.#isCut = error !== null;
      if (error !== null) this.#ended(job, 0, error);
      else this.#writeFrom(job, 0);
    });
  }

  #writeFrom(job: Job, from: number): void {
    const { bytes } = job;
    if (from === bytes.length) {
      this.#ended(job, from, null);
      return;
    }
    this.#write(this.#fd, bytes, from, bytes.length - from, null, (error, written) => {
      if (error !== null) this.#ended(job, from, error);
      else this.#writeFrom(job, from + written);
    });
  }

  #ended({ bytes, done }: Job, written: number, error: Error | null): void {
    this.writableLength -= bytes.length;
    if (written > 0) this.#isCut = bytes[written - 1] !== NEWLINE;
    done(error === null ? null : new Unwritten(error, linesIn(bytes.subarray(0, written))));
    this.#next();
  }
}

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}
