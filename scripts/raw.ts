import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { version } from "../src/version.ts";
import { CASES } from "../test/raw/cases/all.ts";
import { startEdgeLane } from "../test/raw/edge-lane.ts";
import { playAll } from "../test/raw/play.ts";
import { startPeer, versionOf } from "./raw/peer.ts";
import { PEERS } from "./raw/peers.ts";
import { markdownOf, type Score, tallyOf } from "./raw/report.ts";

/**
 * Plays the raw cases against this edge, and against nginx and HAProxy where they are installed; each is a process of its own on
 * loopback. Prints a table in Markdown; `--json FILE` writes what became of each case. `npm run raw`; a quarter of a minute.
 */
const LANES = 4;

/** What this group asks is Meridian's own rule about strangers, and no other proxy's. */
const COMPARED = CASES.filter(({ group }) => group !== "spoofed headers");

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { json: { type: "string" } } });
  const scores: Score[] = [await scoreOfEdge()];
  for (const peer of PEERS) {
    const version = await versionOf(peer);
    if (version === null) {
      say(`${peer.name} is not installed, so it is left out: apt-get install ${peer.package}`);
      continue;
    }
    const running = await startPeer(peer, LANES);
    const played = await playAll(COMPARED, running.lanes).finally(() => running.stop());
    scores.push({ name: peer.name, version, played });
  }
  process.stdout.write(`${markdownOf(scores)}\n`);
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(scores.map(plain), null, 2));
}

async function scoreOfEdge(): Promise<Score> {
  const lanes = await Promise.all(Array.from({ length: LANES }, () => startEdgeLane()));
  const played = await playAll(COMPARED, lanes).finally(() => Promise.all(lanes.map((lane) => lane.stop())));
  return { name: "Meridian", version, played };
}

function plain({ name, version, played }: Score): object {
  const cases = played.map(({ given, outcome, observed }) => ({
    group: given.group,
    name: given.name,
    may: given.may,
    ...outcome,
    next: observed.next,
  }));
  return { name, version, tally: tallyOf(played), cases };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

await main();
