import cluster, { type Worker as Child } from "node:cluster";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Ports } from "../proxy/server.ts";
import type { Ask, Begin, FromWorker, Questions, StartFailure, ToWorker, WorkerReport } from "./messages.ts";

/** How long a worker may take to answer a question of the admin API. */
const ANSWER_WITHIN_MS = 2_000;
/** How often it is looked whether a worker has spoken, and after how many looks without a word it hangs; longer while it starts. */
const LOOK_MS = 1_000;
const LOOKS = { running: 10, starting: 60 } as const;

const MAIN = fileURLToPath(new URL(`./worker-main${extname(import.meta.filename)}`, import.meta.url));

const NOTHING_SAID: WorkerReport = {
  ...{ kind: "report", connections: { http: 0, https: 0 }, overload: [] },
  ...{ regions: new Map(), inFlight: new Map() },
};

export interface WorkerProcessParts {
  /** What it says that is no answer. */
  readonly heard: (message: FromWorker) => void;
  /** Whole lines of its log. */
  readonly logged: (lines: string) => void;
}

/** One worker, as the primary process sees it: a process that is spoken to, listened to, and watched. */
export class WorkerProcess {
  readonly number: number;
  /** Rejects when it cannot start. */
  readonly ready: Promise<Ports>;
  /** Resolves, to how it ended, when its last log line is here. */
  readonly ended: Promise<string>;
  report: WorkerReport = NOTHING_SAID;
  isListening = false;
  readonly #child: Child;
  readonly #parts: WorkerProcessParts;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  readonly #watch: NodeJS.Timeout;
  #silentLooks = 0;
  #hasHung = false;
  /** Why it could not start, in its own words. */
  #failure: string | null = null;
  #lastAsk = 0;
  #isReady: (ports: Ports) => void = () => {};
  #cannotStart: (why: Error) => void = () => {};

  constructor(begin: Begin, parts: WorkerProcessParts) {
    this.number = begin.worker;
    this.#parts = parts;
    this.#child = fork();
    this.ready = new Promise((resolve, reject) => {
      this.#isReady = resolve;
      this.#cannotStart = reject;
    });
    // Only the first start waits for it.
    this.ready.catch(() => {});
    this.ended = this.#untilEnded();
    this.#child.on("message", (message: FromWorker) => this.#hear(message));
    this.#child.on("error", () => {});
    this.#watch = setInterval(() => this.#look(), LOOK_MS).unref();
    this.send(begin);
  }

  get pid(): number {
    return this.#child.process.pid ?? 0;
  }

  /** What it cannot be told any more it does not need to know. */
  send(message: ToWorker): void {
    if (this.#child.isConnected()) this.#child.send(message, () => {});
  }

  /** Null when it does not answer in time, dies, or is not there: one that does not listen yet has nothing to say. */
  ask<Name extends keyof Questions>(
    name: Name,
    asked: Questions[Name]["asked"],
  ): Promise<Questions[Name]["answer"] | null> {
    if (!this.isListening) return Promise.resolve(null);
    const id = ++this.#lastAsk;
    return new Promise((resolve) => {
      const answered = (answer: unknown): void => {
        clearTimeout(late);
        this.#waiting.delete(id);
        resolve(answer as Questions[Name]["answer"] | null);
      };
      const late = setTimeout(() => answered(null), ANSWER_WITHIN_MS);
      this.#waiting.set(id, answered);
      this.send({ kind: "ask", id, name, asked } satisfies Ask as Ask);
    });
  }

  kill(): void {
    this.#child.process.kill("SIGKILL");
  }

  #hear(message: FromWorker): void {
    this.#silentLooks = 0;
    if (message.kind === "answer") this.#waiting.get(message.id)?.(message.answer);
    else if (message.kind === "report") this.report = message;
    else if (message.kind === "ready") {
      this.isListening = true;
      this.#isReady(message.ports);
    } else if (message.kind === "failed") {
      this.#failure = message.failure.message;
      this.#cannotStart(errorOf(message.failure));
    }
    this.#parts.heard(message);
  }

  /** Counts looks, not time: when the primary itself has been stopped, nobody was listened to. */
  #look(): void {
    this.#silentLooks += 1;
    if (this.#silentLooks <= (this.isListening ? LOOKS.running : LOOKS.starting)) return;
    this.#hasHung = true;
    this.kill();
  }

  async #untilEnded(): Promise<string> {
    const { process } = this.#child;
    const logged = relay(process.stdout, this.#parts.logged);
    const how = await new Promise<string>((resolve) => {
      this.#child.once("exit", (status, signal) => resolve(signal ?? `status ${status}`));
    });
    clearInterval(this.#watch);
    this.isListening = false;
    for (const answered of this.#waiting.values()) answered(null);
    await logged;
    const why = this.#hasHung ? "it hung" : (this.#failure ?? how);
    this.#cannotStart(new Error(`worker ${this.number} ended before it was ready: ${why}`));
    return why;
  }
}

/**
 * All workers accept from one socket, which the primary has bound and keeps while any of them lives, and give way to each other
 * (see `Acceptor`). Measured with two workers on two cores, against a socket for each (SO_REUSEPORT) and against connections that
 * the primary deals out: with kept connections all three carry twice what one does; with a connection for each request they carry
 * 8,500, 6,600 to 7,400 and 5,500 requests/s, and one process 5,900, for to deal them out is work too. Of 64 to 128 connections that
 * come at once the fuller worker gets 51 to 65 %, 50 to 57 % and 52 %. A socket for each would moreover lose what waits at a worker that
 * dies or hangs, and would not notice that another edge has the port.
 */
function fork(): Child {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({
    ...{ exec: MAIN, args: [], serialization: "advanced" },
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  return cluster.fork();
}

/** Hands over whole lines. Resolves at the end. */
function relay(from: NodeJS.ReadableStream | null, to: (lines: string) => void): Promise<void> {
  if (from === null) return Promise.resolve();
  let begun = "";
  from.setEncoding("utf8");
  from.on("data", (text: string) => {
    const end = text.lastIndexOf("\n") + 1;
    if (end > 0) to(begun + text.slice(0, end));
    begun = end > 0 ? text.slice(end) : begun + text;
  });
  return new Promise((resolve) => from.once("close", resolve));
}

function errorOf({ message, ...facts }: StartFailure): Error {
  return Object.assign(new Error(message), facts);
}
