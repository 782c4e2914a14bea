const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_REST_OF_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";
const NO_WRAP = "\x1b[?7l";
const WRAP = "\x1b[?7h";
const CTRL_C = "\x03";

/** A terminal that is drawn over in place, and given back as it was found. */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #in: NodeJS.ReadStream;
  readonly #restore = () => this.close();
  #onKey: ((text: Buffer) => void) | null = null;
  #open = false;

  constructor(out: NodeJS.WriteStream, input: NodeJS.ReadStream) {
    this.#out = out;
    this.#in = input;
  }

  get rows(): number {
    return this.#out.rows || 24;
  }

  /** Calls `onKey` with each key; Ctrl-C comes as `q`. */
  open(onKey: (key: string) => void): void {
    this.#open = true;
    this.#out.write(ENTER + NO_WRAP);
    process.once("exit", this.#restore);
    if (!this.#in.isTTY) return;
    this.#onKey = (text) => {
      for (const key of text.toString()) onKey(key === CTRL_C ? "q" : key);
    };
    this.#in.setRawMode(true);
    this.#in.on("data", this.#onKey);
    this.#in.resume();
  }

  draw(lines: readonly string[]): void {
    const body = lines.map((line) => line + CLEAR_REST_OF_LINE).join("\r\n");
    if (this.#open) this.#out.write(HOME + body + CLEAR_BELOW);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    process.off("exit", this.#restore);
    this.#out.write(WRAP + LEAVE);
    if (this.#onKey === null) return;
    this.#in.off("data", this.#onKey);
    this.#in.setRawMode(false);
    this.#in.pause();
  }
}
