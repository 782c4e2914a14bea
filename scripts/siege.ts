import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { siegeTable } from "./siege/report.ts";
import { siege } from "./siege/run.ts";

const USAGE = `npm run siege -- [--idle 10000] [--active 2000] [--attackers 1000] [--rate 200] [--seconds 20] [--gigabytes 5] [--json FILE]

One edge, a process before one region, under 200 ordinary requests a second: alone, beside ten thousand idle and two
thousand active connections, and while a thousand clients drip their heads and another thousand their bodies. Then 5 GB
up and down with a reader that pauses. Prints who was served, how soon, and what the edge held. About six minutes; it needs
\`ulimit -n 20000\`.
`;

const { values } = parseArgs({
  options: {
    idle: { type: "string", default: "10000" },
    active: { type: "string", default: "2000" },
    attackers: { type: "string", default: "1000" },
    rate: { type: "string", default: "200" },
    seconds: { type: "string", default: "20" },
    gigabytes: { type: "string", default: "5" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  process.stdout.write(USAGE);
} else {
  const report = await siege(
    {
      idle: Number(values.idle),
      active: Number(values.active),
      attackers: Number(values.attackers),
      ratePerSecond: Number(values.rate),
      phaseMs: Number(values.seconds) * 1_000,
      transferBytes: Number(values.gigabytes) * 1e9,
      limits: "{ idleConnectionTimeout: 10m }",
    },
    (line) => process.stderr.write(`${line}\n`),
  );
  process.stdout.write(`${siegeTable(report)}\n`);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
