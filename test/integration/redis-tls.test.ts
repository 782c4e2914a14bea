import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { promisify } from "node:util";
import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import { guardRedis } from "../../src/consistency/fleet-pins.ts";
import { Pins } from "../../src/consistency/pins.ts";
import { EventBus } from "../../src/events.ts";
import { connectRedis, type RedisAddress } from "../../src/redis.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { type RedisServer, startRedis, startSentinelProcess } from "../support/redis.ts";

const ALL_SLOTS = "CLUSTER ADDSLOTSRANGE 0 16383";

const skip =
  spawnSync("openssl", ["version"]).status === 0
    ? false
    : "openssl, which makes the certificate, is not here";

/** A server that is spoken to over TLS, and in clear only by the test itself. */
interface TlsServer {
  readonly server: RedisServer;
  readonly tlsPort: number;
}

let directory: string;
let tlsOptions: readonly string[];
const servers: RedisServer[] = [];
const closings: (() => Promise<void>)[] = [];

before(async () => {
  if (skip) return;
  directory = await mkdtemp(join(tmpdir(), "meridian-tls-"));
  const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const made = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  await promisify(execFile)("openssl", ["req", "-x509", ...made, ...names]);
  tlsOptions = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert].concat(
    "--tls-auth-clients",
    "no",
  );
  setDefaultCACertificates([await readFile(cert, "utf8")]);
});

after(async () => {
  if (skip) return;
  setDefaultCACertificates(getCACertificates("bundled"));
  await rm(directory, { recursive: true });
});

afterEach(async () => {
  for (const close of closings.splice(0)) await close();
  for (const server of servers.splice(0)) await server.stop();
});

async function startTls(options: readonly string[] = []): Promise<TlsServer> {
  const tlsPort = await freePort();
  const server = await startRedis({ options: [...tlsOptions, "--tls-port", `${tlsPort}`, ...options] });
  servers.push(server);
  return { server, tlsPort };
}

/** What an edge at this address says of Redis and of a write. */
async function pinned(address: RedisAddress): Promise<{ said: readonly string[]; acknowledged: string }> {
  const events = new EventBus();
  const said: string[] = [];
  events.on("redisState", ({ up, cause }) => said.push(up ? "up" : `down ${cause}`));
  const client = connectRedis(address, "test");
  const store = guardRedis(client, "meridian", { clock: systemClock, events });
  const pins = new Pins(configSchema.parse({ regions: {} }), { clock: systemClock, events, store });
  closings.push(async () => {
    await pins.close();
    client.disconnect();
  });
  await eventually(() => said.length > 0);
  return { said, acknowledged: await pins.open(["user"]).acknowledged };
}

const KEPT = { said: ["up"], acknowledged: "recorded" };

describe("pins over TLS", { skip }, () => {
  it("are kept in one Redis, whose name is in its certificate, for a user with a password", async () => {
    const { server, tlsPort } = await startTls();
    await server.command("ACL SETUSER pins on >secret ~* +@all");
    const credentials = { username: "pins", password: "secret" };
    assert.deepEqual(await pinned({ url: `rediss://localhost:${tlsPort}`, ...credentials }), KEPT);
    assert.deepEqual(await pinned({ url: `rediss://pins:secret@localhost:${tlsPort}` }), KEPT);
  });

  it("are not sent to a Redis whose certificate nobody has signed", async () => {
    setDefaultCACertificates([]);
    const { tlsPort } = await startTls();
    const { said, acknowledged } = await pinned({ url: `rediss://localhost:${tlsPort}` });
    setDefaultCACertificates([await readFile(join(directory, "cert.pem"), "utf8")]);
    assert.deepEqual([said, acknowledged], [["down DEPTH_ZERO_SELF_SIGNED_CERT"], "unrecorded"]);
  });

  it("are kept in a cluster that wants a password", async () => {
    const [dir, bus] = [directory, `${await freePort()}`];
    const { server, tlsPort } = await startTls(
      ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-port", bus].concat([
        "--tls-cluster",
        "yes",
        "--dir",
        dir,
      ]),
    );
    await server.command(ALL_SLOTS);
    await eventually(async () => (await server.command("CLUSTER INFO")).includes("cluster_state:ok"));
    await server.command("CONFIG SET requirepass p@ss/word");
    assert.deepEqual(
      await pinned({ cluster: [`rediss://localhost:${tlsPort}`], password: "p@ss/word" }),
      KEPT,
    );
    assert.deepEqual(await pinned({ cluster: [`rediss://:p%40ss%2Fword@localhost:${tlsPort}`] }), KEPT);
  });

  it("are kept behind Sentinels whose password is another than that of the primary", async () => {
    const { server, tlsPort } = await startTls(["--tls-replication", "yes"]);
    await server.command("CONFIG SET requirepass primary");
    const port = await freePort();
    const file = join(directory, "sentinel.conf");
    const tls = tlsOptions.join(" ").replaceAll(" --", "\n").replace("--", "");
    const watched = [
      `sentinel monitor mymaster 127.0.0.1 ${tlsPort} 1`,
      "sentinel auth-pass mymaster primary",
    ];
    const own = [
      "port 0",
      `tls-port ${port}`,
      "tls-replication yes",
      "bind 127.0.0.1",
      "requirepass sentinel",
    ];
    await writeFile(file, [...own, tls, `dir ${directory}`, ...watched, ""].join("\n"));
    servers.push(await startSentinelProcess(port, file));
    const sentinels = [`rediss://:sentinel@localhost:${port}`];
    assert.deepEqual(await pinned({ sentinels, name: "mymaster", password: "primary" }), KEPT);
  });
});
