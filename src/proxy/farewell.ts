import type { Socket } from "node:net";
import { closeFrame, FrameReader } from "./frames.ts";

/** RFC 6455's registry: "service restart", by which a client knows that it may come back at once, and how. */
const SERVICE_RESTART = 1012;
const GOING_AWAY = 1001;
const REASON = "please connect again";

/** How long the frame may take that is in flight when a tunnel is closed. */
const FRAME_PATIENCE_MS = 10_000;
/** How long a client may take to answer a close. */
const ANSWER_PATIENCE_MS = 5_000;

/**
 * Ends a WebSocket that is carried as bytes, piped both ways, the way WebSockets end: by a close frame, between two frames
 * of the region's. While nobody closes, the pipes are all there is, with their back-pressure; frames are only looked at as
 * they pass.
 */
export class Farewell {
  readonly #client: Socket;
  readonly #region: Socket;
  readonly #fromRegion = new FrameReader();
  readonly #fromClient = new FrameReader();
  readonly #watch = (chunk: Buffer): void => this.#fromRegion.read(chunk);
  #phase: "open" | "finishing" | "said" = "open";
  #patience: NodeJS.Timeout | undefined;

  /** Both sockets are piped into each other, and no frame has passed yet. */
  constructor(client: Socket, region: Socket) {
    this.#client = client;
    this.#region = region;
    region.on("data", this.#watch);
    client.on("data", (chunk: Buffer) => this.#fromClient.read(chunk));
    client.once("close", () => clearTimeout(this.#patience));
  }

  /**
   * Tells the client to come back, once the frame in flight has passed. What the client sends until it has heard goes to
   * the region, and then its close, which is the region's. A client that does not answer is cut.
   */
  close(): void {
    if (this.#phase !== "open") return;
    // Whoever closes already is let finish: there is nothing to add.
    if (this.#fromRegion.isClosed || this.#fromClient.isClosed) return void this.#awaitAnswer();
    this.#phase = "finishing";
    this.#wait(FRAME_PATIENCE_MS);
    // From here on the region's bytes go through our hands, up to the end of the frame.
    this.#region.off("data", this.#watch);
    this.#region.unpipe(this.#client);
    this.#region.on("data", (chunk: Buffer) => this.#pass(chunk));
    if (this.#fromRegion.isBetween) this.#say();
    else if (this.#client.writableNeedDrain) this.#awaitClient();
    else this.#region.resume();
  }

  /** Ends both at once, with a close frame where one may stand. */
  cut(): void {
    if (this.#phase === "open" && this.#fromRegion.isBetween) this.#tell(this.#client, SERVICE_RESTART);
    this.#client.unpipe(this.#region);
    if (this.#fromClient.isBetween && !this.#fromClient.isClosed) this.#tell(this.#region, GOING_AWAY);
    this.#client.destroy();
  }

  #pass(chunk: Buffer): void {
    // Nothing of the region's may follow a close.
    if (this.#phase === "said") return;
    const end = this.#fromRegion.readFrame(chunk);
    const isTaken = this.#client.write(end === chunk.length ? chunk : chunk.subarray(0, end));
    if (this.#fromRegion.isBetween) this.#say();
    else if (!isTaken) this.#awaitClient();
  }

  #awaitClient(): void {
    this.#region.pause();
    this.#client.once("drain", () => this.#region.resume());
  }

  #say(): void {
    if (!this.#fromRegion.isClosed) this.#tell(this.#client, SERVICE_RESTART);
    this.#awaitAnswer();
    this.#region.resume();
  }

  #awaitAnswer(): void {
    this.#phase = "said";
    this.#wait(ANSWER_PATIENCE_MS);
  }

  #tell(socket: Socket, code: number): void {
    const reason = code === SERVICE_RESTART ? REASON : "";
    if (socket.writable) socket.write(closeFrame(code, reason, { masked: socket === this.#region }));
  }

  #wait(patienceMs: number): void {
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => this.cut(), patienceMs).unref();
  }
}
