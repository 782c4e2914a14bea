// Light traffic for deploy/compose.yaml, from the demo's visitors, through every edge named on the command
// line: mostly reads, some writes that are looked at at once. Says every 10 seconds what they have seen.
import { Visitors } from "/app/dist/demo/visitors.js";

const crowds = process.argv.slice(2).map((url) => {
  return new Visitors({ url, count: 24, thinkMs: 500, writeShare: 0.06, chance: Math.random });
});
const sum = (name) => crowds.reduce((total, { tally }) => total + tally[name], 0);
const report = () => {
  const seen = {
    reads: sum("reads"),
    writes: sum("writes"),
    staleReads: sum("staleReads"),
    errors: sum("errorCount"),
  };
  process.stdout.write(`${JSON.stringify(seen)}\n`);
};

for (const crowd of crowds) crowd.start();
const reports = setInterval(report, 10_000);
process.once("SIGTERM", async () => {
  clearInterval(reports);
  await Promise.all(crowds.map((crowd) => crowd.stop()));
  report();
});
