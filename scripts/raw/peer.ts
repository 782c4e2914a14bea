import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Lane } from "../../test/raw/observe.ts";
import { RecordingRegion } from "../../test/raw/recording-region.ts";
import { freePort } from "../../test/support/ports.ts";

const STARTS_WITHIN_MS = 5_000;
const LOOK_MS = 50;

/** Where one lane's clients come in, and where its region is. */
export interface Passage {
  readonly port: number;
  readonly regionPort: number;
}

/** A proxy that is run as a process of its own, with a file that makes it an edge before each lane's region. */
export interface Peer {
  readonly name: string;
  readonly package: string;
  readonly command: string;
  readonly versionArgument: string;
  arguments(configFile: string): readonly string[];
  configuration(folder: string, passages: readonly Passage[]): string;
}

export interface RunningPeer {
  readonly lanes: readonly Lane[];
  stop(): Promise<void>;
}

/** What it says its version is; null when it is not installed. */
export async function versionOf({ command, versionArgument }: Peer): Promise<string | null> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, [versionArgument]);
    return /\d+\.\d+\.\d+[\w.+-]*/.exec(stdout + stderr)?.[0] ?? null;
  } catch {
    return null;
  }
}

export async function startPeer(peer: Peer, laneCount: number): Promise<RunningPeer> {
  const folder = await mkdtemp(join(tmpdir(), `raw-${peer.name}-`));
  const regions = await Promise.all(Array.from({ length: laneCount }, () => new RecordingRegion().start()));
  const passages = await Promise.all(
    regions.map(async ({ url }) => ({ port: await freePort(), regionPort: Number(new URL(url).port) })),
  );
  const file = join(folder, `${peer.name}.conf`);
  await writeFile(file, peer.configuration(folder, passages));
  const process = spawn(peer.command, peer.arguments(file), { stdio: "ignore" });
  const stop = async (): Promise<void> => {
    await end(process);
    await Promise.all(regions.map((region) => region.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await Promise.all(passages.map(({ port }) => listening(port)));
  } catch (error) {
    await stop();
    throw error;
  }
  const laneOf = (region: RecordingRegion, index: number): Lane => ({
    proxyPort: passages[index]?.port ?? 0,
    region,
  });
  return { lanes: regions.map(laneOf), stop };
}

async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const over = once(process, "exit");
  process.kill("SIGKILL");
  await over;
}

async function listening(port: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < STARTS_WITHIN_MS; waitedMs += LOOK_MS) {
    if (await takes(port)) return;
    await sleep(LOOK_MS);
  }
  throw new Error(`nobody listens on port ${port}`);
}

function takes(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const say = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => say(true));
    socket.once("error", () => say(false));
  });
}
