import { fstatSync } from "node:fs";
import type { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { FileOutput, type Output, Unwritten } from "./file-output.ts";

/** How much waits for a reader that does not read, in UTF-16 units; then lines are lost, never requests. */
const MAX_WAITING = 4 * 1_024 * 1_024;

/** For how long lines that come with every request wait for others. */
const TOGETHER_MS = 10;

/**
 * Where log lines go. A reader that stalls or leaves, and a full disk, must not stall or end an edge, so
 * writing never waits and never throws: lines are lost instead, and counted. (pino's own destination waits
 * for ever for such a reader when the process exits.) The lines of one turn of the event loop go out in
 * one write; {@link flush} before the process exits.
 */
export class LogSink {
  readonly #out: Output;
  #waiting: string[] = [];
  #waitingLength = 0;
  /** Whether what waits goes out with this turn of the event loop. */
  #isDue = false;
  #dropped = 0;
  #unreported = 0;
  #recovered: (lines: number) => void = () => {};

  constructor(stream: Writable & { readonly fd?: number }) {
    this.#out = isFile(stream.fd) ? new FileOutput(stream.fd) : stream;
    // Each write's own callback counts what was lost; without a listener the first EPIPE ends the process.
    stream.on("error", () => {});
  }

  /** Lines lost since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Calls `listener` with the number of lines lost once lines get through again. */
  onRecovered(listener: (lines: number) => void): void {
    this.#recovered = listener;
  }

  write(line: string): void {
    if (!this.#keep(line) || this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => this.#handOver());
  }

  /**
   * The same for lines that come with every request, which wait a little for each other: turns of the event loop are often short,
   * and a write for each took more time than the line itself. They are never behind a line that was written after them.
   */
  writeTogether(line: string): void {
    if (this.#keep(line) && this.#waiting.length === 1) setTimeout(() => this.#handOver(), TOGETHER_MS);
  }

  /** Resolves when everything is written, or after `withinMs`; never rejects. */
  async flush(withinMs: number): Promise<void> {
    this.#handOver();
    const given = new AbortController();
    const written = new Promise<void>((done) => this.#out.write("", () => done()));
    await Promise.race([written, sleep(withinMs, undefined, { signal: given.signal }).catch(() => {})]);
    given.abort();
  }

  /** False when there is no room for it. */
  #keep(line: string): boolean {
    if (this.#out.writableLength + this.#waitingLength + line.length > MAX_WAITING) {
      this.#drop(1);
      return false;
    }
    this.#waiting.push(line);
    this.#waitingLength += line.length;
    return true;
  }

  #handOver(): void {
    this.#isDue = false;
    const lines = this.#waiting.length;
    if (lines === 0) return;
    const text = this.#waiting.join("");
    this.#waiting = [];
    this.#waitingLength = 0;
    this.#out.write(text, (error) => {
      if (error) this.#drop(lines - (error instanceof Unwritten ? error.linesWritten : 0));
      else if (this.#unreported > 0) this.#reportDropped();
    });
  }

  #drop(lines: number): void {
    this.#dropped += lines;
    this.#unreported += lines;
  }

  #reportDropped(): void {
    const lines = this.#unreported;
    this.#unreported = 0;
    this.#recovered(lines);
  }
}

function isFile(fd: number | undefined): fd is number {
  return fd !== undefined && fstatSync(fd).isFile();
}
