import { once } from "node:events";
import { parseArgs } from "node:util";
import { WorldControl } from "./control.ts";
import type { RegionSetup, SimulatedRegion } from "./simulated-region.ts";
import { SimulatedWorld } from "./simulated-world.ts";

const USAGE = `node src/demo/world-main.ts [--host 127.0.0.1] [--control PORT] [--region id=NAME,role=writer|replica|standby[,port=N][,delayMs=N][,lagMs=N]]...

Runs simulated regions as a process of their own, prints one line of JSON with their URLs, and ends on TERM or INT.
`;

/** `id=us-east,role=writer,port=8081,delayMs=80` as a setup; throws on anything else. */
export function parseRegion(text: string): RegionSetup {
  const given = new Map(
    text.split(",").map((pair) => [pair.split("=")[0], pair.slice(pair.indexOf("=") + 1)]),
  );
  const number = (name: string) => {
    const value = Number(given.get(name) ?? 0);
    if (Number.isNaN(value)) throw new Error(`--region ${text}: ${name} is no number`);
    return value;
  };
  const id = given.get("id");
  const role = given.get("role");
  if (id === undefined || (role !== "writer" && role !== "replica" && role !== "standby")) {
    throw new Error(`--region ${text}: expected id=NAME,role=writer|replica|standby`);
  }
  return { id, role, port: number("port"), delayMs: number("delayMs"), lagMs: number("lagMs") };
}

/** Runs the regions of the arguments until TERM or INT; `dress` may add to each before it is announced. */
export async function runWorld(
  regions: readonly string[],
  { host, control: controlPort }: { host: string; control: number },
  dress: (region: SimulatedRegion) => void = () => undefined,
): Promise<void> {
  const world = await SimulatedWorld.start(regions.map(parseRegion), { host });
  world.regions.forEach(dress);
  const control = new WorldControl(world);
  const controlUrl = await control.listen(controlPort, host);
  const urls = Object.fromEntries(world.regions.map(({ id, url }) => [id, url]));
  process.stdout.write(`${JSON.stringify({ control: controlUrl, regions: urls })}\n`);
  await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  await Promise.all([control.stop(), world.stop()]);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      host: { type: "string", default: "127.0.0.1" },
      control: { type: "string", default: "0" },
      region: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", default: false },
    },
  });
  const { region, host, control } = values;
  if (values.help || region.length === 0) process.stdout.write(USAGE);
  else await runWorld(region, { host, control: Number(control) });
}

if (import.meta.main) await main();
