import { setTimeout as sleep } from "node:timers/promises";
import { CallFailed } from "./client.ts";
import type { ClientIo, Result, Terminal } from "./command.ts";
import { paint } from "./render.ts";
import { Screen } from "./screen.ts";

/** What is looked at again and again. */
export interface Watched {
  readonly everyMs: number;
  /** One JSON document a line, for another program. */
  readonly json: boolean;
  work(): Promise<Result>;
}

/** Until `q`, Ctrl-C or {@link ClientIo.ended}: in place on a terminal, one below the other elsewhere. */
export async function watch(io: ClientIo, watched: Watched): Promise<void> {
  const { terminal } = io;
  if (terminal === undefined || watched.json) return print(io, watched);
  const paintIf = io.colours ? paint : (text: string) => text;
  await onScreen(terminal, io.ended, watched.everyMs, async () => {
    const { text } = await watched.work();
    return paintIf(text).trimEnd().split("\n");
  });
}

/** Draws what `frame` answers in place; an edge that does not answer is said below what was seen last. */
export async function onScreen(
  terminal: Terminal,
  ended: AbortSignal | undefined,
  everyMs: number,
  frame: (rows: number) => Promise<readonly string[]>,
): Promise<void> {
  const left = new AbortController();
  const signal = ended === undefined ? left.signal : AbortSignal.any([left.signal, ended]);
  const screen = new Screen(terminal.out, terminal.in);
  screen.open((key) => {
    if (key === "q") left.abort();
  });
  let seen: readonly string[] = [];
  try {
    while (!signal.aborted) {
      const failure = await frame(screen.rows - 2).then(
        (lines) => {
          seen = lines;
          return "";
        },
        (error: unknown) => `error: ${messageOf(error)}`,
      );
      screen.draw([...seen.slice(0, screen.rows - 2), "", failure || "q ends"]);
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    screen.close();
  }
}

async function print(io: ClientIo, { everyMs, json, work }: Watched): Promise<void> {
  const { ended, out, err } = io;
  while (ended?.aborted !== true) {
    try {
      const { data, text } = await work();
      out.write(json ? `${JSON.stringify(data)}\n` : `${text}\n`);
    } catch (error) {
      err.write(`error: ${messageOf(error)}\n`);
      io.setExitStatus(1);
    }
    await sleep(everyMs, undefined, ended === undefined ? {} : { signal: ended }).catch(() => undefined);
  }
}

/** Only a call may fail here; everything else is a bug, and says so. */
function messageOf(error: unknown): string {
  if (error instanceof CallFailed) return error.message;
  throw error;
}
