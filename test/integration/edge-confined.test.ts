import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { WebSocket } from "ws";
import { parse, stringify } from "yaml";
import { dockerfileStages, execForm } from "../support/dockerfile.ts";
import { startEdgeProcess } from "../support/edge-process.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { acceptWebSockets } from "../support/websocket.ts";
import { startWorld } from "../support/world.ts";

/** Tries at SIGUSR2 what whoever has got in would try, and says what came of it. */
const INTRUDER = `data:text/javascript,process.on('SIGUSR2', async () => {
  const tries = {
    write: () => process.getBuiltinModule('fs').writeFileSync('/tmp/meridian-intruder', ''),
    run: () => process.getBuiltinModule('child_process').execFileSync('id'),
    worker: () => new (process.getBuiltinModule('worker_threads').Worker)('0', { eval: true }),
    inspector: () => process.getBuiltinModule('inspector').open(0),
    addon: () => process.dlopen({ exports: {} }, '/tmp/meridian-intruder.node'),
  };
  for (const [what, attempt] of Object.entries(tries)) {
    try { attempt(); console.error('intruder could', what); } catch (error) { console.error('intruder', what, error.code); }
  }
  console.error('intruder done');
})`;

/** What the image's ENTRYPOINT grants Node. */
async function grants(): Promise<readonly string[]> {
  const stages = await dockerfileStages();
  const entrypoint = stages.at(-1)?.find(({ name }) => name === "ENTRYPOINT");
  const [node, ...words] = execForm(entrypoint?.args ?? "") ?? [];
  assert.equal(node, "node");
  assert.equal(words.at(-1), "/app/dist/main.js");
  return words.slice(0, -1);
}

test("an edge does all it does with what the image grants it, and whoever gets in can write, run and load nothing", async (t) => {
  const given = await grants();
  assert.ok(given.includes("--permission"));
  const world = await startWorld();
  t.after(() => world.stop());
  acceptWebSockets(world.region("us-east"));
  const redis = await startRedis({ aged: true });
  t.after(() => redis.stop());
  const edge = await startEdgeProcess(
    edgeYaml(world, stringify({ redis: { url: redis.url }, consistency: { graceWindow: "10s" } })),
    {
      environment: { NODE_OPTIONS: `${given.join(" ")} --import="${INTRUDER}"` },
    },
  );
  t.after(() => edge.kill());

  const headers = { authorization: "Bearer alice" };
  const ask = async (method: string) => {
    const answer = await fetch(`${edge.httpUrl}/items/a`, { method, headers });
    await answer.text();
    return [answer.status, answer.headers.get("x-meridian-reason")];
  };
  assert.deepEqual(
    [await ask("PUT"), await ask("GET")],
    [
      [200, "write"],
      [200, "pin"],
    ],
  );
  const socket = new WebSocket(edge.httpUrl.replace("http", "ws"), { headers });
  const [greeting] = await once(socket, "message");
  assert.equal(JSON.parse(String(greeting)).region, "us-east");
  socket.terminate();

  const metrics = await (await fetch(`${edge.adminUrl}/metrics`)).text();
  assert.match(metrics, /^process_open_fds [1-9]/m);
  const config = parse(await readFile(edge.configFile, "utf8"));
  await writeFile(edge.configFile, stringify({ ...config, log: { level: "debug" } }));
  edge.child.kill("SIGHUP");
  await eventually(() => edge.logs().includes('"configuration reloaded"'));

  edge.child.kill("SIGUSR2");
  await eventually(() => edge.logs().includes("intruder done"));
  const tried = [...edge.logs().matchAll(/^intruder (\w+ \w+)$/gm)].map(([, what]) => what);
  assert.deepEqual(tried, [
    "write ERR_ACCESS_DENIED",
    "run ERR_ACCESS_DENIED",
    "worker ERR_ACCESS_DENIED",
    "inspector ERR_ACCESS_DENIED",
    "addon ERR_DLOPEN_DISABLED",
  ]);
  edge.child.kill("SIGUSR1");
  assert.equal((await ask("GET"))[0], 200);
  assert.doesNotMatch(edge.logs(), /Debugger listening/);
  assert.equal(await edge.stop(), 0);
});
