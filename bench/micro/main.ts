import { COOKIES } from "./cookies.ts";
import { DECIDE } from "./decide.ts";
import { HEADERS } from "./headers.ts";
import { type Cost, costOf, type Micro } from "./measure.ts";
import { type Closable, localPins, redisPins } from "./pins.ts";

/** How far above its budget an operation may be: what the same operation differs by from run to run. */
const NOISE = 1.5;

/** Measures every operation whose name has the word, and ends with 1 when one costs more than its budget. */
async function main(word: string): Promise<void> {
  const local = localPins();
  const shared = await redisPins();
  if (shared === null) say("no redis-server on this machine: look-ups over it are left out");
  const all = [...DECIDE, ...COOKIES, ...HEADERS, ...local.micros, ...(shared?.micros ?? [])];
  let failed = 0;
  for (const micro of all.filter(({ name }) => name.includes(word))) {
    const cost = await costOf(micro);
    const isOver = cost.ns > micro.budgetNs * NOISE || cost.bytes > micro.budgetBytes * NOISE;
    if (isOver) failed += 1;
    say(lineOf(micro, cost, isOver));
  }
  await Promise.all([local, shared].map((each: Closable | null) => each?.close()));
  if (failed > 0) say(`${failed} over budget`);
  process.exitCode = failed > 0 ? 1 : 0;
}

function lineOf({ name, budgetNs, budgetBytes }: Micro, { ns, bytes }: Cost, isOver: boolean): string {
  const time = `${ns.toFixed(0).padStart(7)} ns of ${String(budgetNs).padStart(6)}`;
  const memory = `${String(bytes).padStart(6)} bytes of ${String(budgetBytes).padStart(5)}`;
  return `${name.padEnd(48)}${time}  ${memory}${isOver ? "  OVER BUDGET" : ""}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main(process.argv[2] ?? "");
