import { parseArgs } from "node:util";
import fc from "fast-check";
import { startEdgeLane } from "../test/raw/edge-lane.ts";
import { regionsSeeOnlyWhatWasSent } from "../test/raw/fuzz/framing.ts";
import { TEXT_PROPERTIES } from "../test/raw/fuzz/texts.ts";

/**
 * The properties of `test/raw/fuzz.test.ts` for longer: `npm run fuzz -- --runs N --seed S`. Says how long each took; what fails is
 * shrunk and told with its seed, and the exit status is 1.
 */
const LANES = 4;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "5000" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
    },
  });
  const parameters = { numRuns: Number(values.runs), seed: Number(values.seed) };
  say(`${parameters.numRuns} runs of each, seed ${parameters.seed}`);
  const lanes = await Promise.all(Array.from({ length: LANES }, () => startEdgeLane()));
  const conversations = {
    name: "regions see only what was sent",
    property: regionsSeeOnlyWhatWasSent(lanes),
  };
  try {
    for (const { name, property } of [conversations, ...TEXT_PROPERTIES]) {
      const startedMs = performance.now();
      const found = await fc.check(property as fc.IAsyncProperty<[unknown]>, parameters);
      say(
        `${found.failed ? "FAILED" : "holds "} ${((performance.now() - startedMs) / 1_000).toFixed(1)} s  ${name}`,
      );
      if (!found.failed) continue;
      process.exitCode = 1;
      say(`${fc.defaultReportMessage(found) ?? ""}\n${String(found.errorInstance)}`);
    }
  } finally {
    await Promise.all(lanes.map((lane) => lane.stop()));
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
