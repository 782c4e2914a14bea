// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files under test hold variables.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { configChanges, restartOnly } from "../../src/config/changes.ts";
import { CurrentConfig } from "../../src/config/current.ts";
import type { Environment } from "../../src/config/environment.ts";
import { formatProblem, loadConfigFile, parseConfig } from "../../src/config/load.ts";
import { effectiveYaml, redactedConfig } from "../../src/config/redact.ts";
import { rulesOf } from "../../src/config/rules.ts";
import type { Config } from "../../src/config/schema.ts";
import { formatWarning, validateCommand } from "../../src/config/validate.ts";

const REGIONS = "regions: { us: { role: writer, endpoints: [http://10.0.0.1:80] } }";

function configOf(text: string, environment: Environment = {}): Config {
  const loaded = parseConfig(text, environment);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.config;
}

function warningsOf(text: string): readonly string[] {
  return parseConfig(text, {}).warnings.map((warning) => formatWarning("f", warning));
}

describe("a configuration", () => {
  test("keeps the regions in the order of the file", () => {
    const regions = ["zulu", "a1", "mike"].map((name, index) => {
      const role = index === 0 ? "writer" : "replica";
      return `  ${name}: { role: ${role}, endpoints: [http://10.0.0.${index + 1}:80] }`;
    });
    const config = configOf(`regions:\n${regions.join("\n")}`);
    assert.deepEqual(Object.keys(config.regions), ["zulu", "a1", "mike"]);
  });

  test("has its durations in milliseconds, its sizes in bytes and its endpoints as origins", () => {
    const config = configOf(
      "regions: { us: { role: writer, endpoints: ['HTTP://App.internal:80/'] } }\n" +
        "health: { interval: 1.5s, timeout: 250ms, expectStatus: 204 }\n" +
        "proxy: { idleTimeout: 2h, maxHeaderBytes: 16KiB, maxBodyBytes: 8MiB }\n",
    );
    assert.deepEqual(config.regions.us?.endpoints, ["http://app.internal"]);
    assert.equal(config.health.interval, 1_500);
    assert.equal(config.health.timeout, 250);
    assert.equal(config.health.expectStatus, "204");
    assert.equal(config.proxy.idleTimeout, 7_200_000);
    assert.equal(config.proxy.maxHeaderBytes, 16_384);
    assert.equal(config.proxy.maxBodyBytes, 8_388_608);
  });

  test("may be JSON", () => {
    const json = JSON.stringify({ regions: { us: { role: "writer", endpoints: ["http://10.0.0.1:80"] } } });
    assert.deepEqual(configOf(json), configOf(REGIONS));
  });

  test("may say things once and use them twice", () => {
    const config = configOf(
      "regions:\n" +
        "  us: { role: writer, endpoints: &servers [http://10.0.0.1:80] }\n" +
        "routing: { policy: &policy priority }\n" +
        "log: { access: all }\n",
    );
    assert.equal(config.routing.policy, "priority");
  });

  test("may be checked where an alias is used", () => {
    const loaded = parseConfig(`${REGIONS}\nhealth: { path: &x nowhere }\nedge: { id: *x }\n`, {});
    assert.deepEqual(loaded.ok || loaded.problems.map((problem) => formatProblem("f", problem)), [
      "f:2:20: health.path: expected a path that begins with /",
    ]);
  });

  test("names the edge after its machine", () => {
    assert.equal(configOf(REGIONS, { HOSTNAME: "edge-7" }).edge.id, "edge-7");
    assert.notEqual(configOf(REGIONS).edge.id, "");
    assert.equal(configOf(`${REGIONS}\nedge: { id: here }`, { HOSTNAME: "edge-7" }).edge.id, "here");
    assert.equal(configOf(`${REGIONS}\nedge: { id: "\${HOSTNAME}" }`).edge.id, configOf(REGIONS).edge.id);
  });
});

describe("a variable of the environment", () => {
  const port = (value: string, environment: Environment) =>
    configOf(`${REGIONS}\nlisten: { http: { port: ${value} } }`, environment).listen.http.port;

  test("outside of quotes means what YAML makes of it", () => {
    assert.equal(port("${PORT}", { PORT: "8081" }), 8_081);
    assert.equal(port("80${LAST}", { LAST: "82" }), 8_082);
  });

  test("in quotes is text", () => {
    const config = configOf(`${REGIONS}\nedge: { id: "\${ID}" }`, { ID: "0815" });
    assert.equal(config.edge.id, "0815");
  });

  test("never becomes structure", () => {
    const secret = "x, y]: {#} & *z - 0123456789";
    const config = configOf(`${REGIONS}\nsecrets: [\${SECRET}]`, { SECRET: secret });
    assert.deepEqual(config.secrets, [secret]);
  });

  test("has a default, also when it is empty", () => {
    assert.equal(port("${PORT:-8083}", {}), 8_083);
    assert.equal(port("${PORT:-8083}", { PORT: "" }), 8_083);
    assert.equal(port("${PORT:-8083}", { PORT: "8084" }), 8_084);
  });

  test("is left alone in a comment and behind a second dollar", () => {
    const config = configOf(`${REGIONS} # \${NOT_SET}\nhealth: { path: "/$\${NOT_SET}" }`);
    assert.equal(config.health.path, "/${NOT_SET}");
  });
});

describe("a warning", () => {
  const SECRET = "secrets: [0123456789abcdef-]";
  const REDIS = "redis: { url: redis://127.0.0.1 }";

  test("does not stop an edge", () => {
    assert.ok(parseConfig(REGIONS, {}).ok);
    assert.equal(warningsOf(REGIONS).length, 2);
    assert.deepEqual(warningsOf(`${REGIONS}\n${SECRET}\n${REDIS}`), []);
  });

  const rows: readonly (readonly [name: string, file: string, warning: string])[] = [
    [
      "no secrets",
      `${REGIONS}\n${REDIS}`,
      "1:1: warning: secrets: none given, so one is made up at start; a restart or a second edge forgets all cookies (make one with: openssl rand -base64 32)",
    ],
    [
      "strict consistency without Redis",
      `${REGIONS}\n${SECRET}`,
      "1:1: warning: redis: without it, strict consistency holds on one edge only (give redis.url before a second edge runs)",
    ],
    [
      "more lag than the window hides",
      `${REGIONS}\n${SECRET}\n${REDIS}\nhealth: { maxLag: 11s }`,
      "4:19: warning: health.maxLag: with the interval and timeout of a probe a replica may lag 14s, and 10s after a write its user may read there (keep the sum of the three below consistency.graceWindow)",
    ],
    [
      "a weight of nothing where weights do not count",
      `regions: { us: { role: writer, endpoints: [http://10.0.0.1:80], weight: 0 } }\n${SECRET}\n${REDIS}`,
      "1:73: warning: regions.us.weight: 0 keeps nobody away under the policy latency (drain the region, or make it a standby)",
    ],
    [
      "residents who cannot write",
      `regions:\n  us: { role: writer, endpoints: [http://10.0.0.1:80] }\n  eu: { role: replica, endpoints: [http://10.0.0.2:80], jurisdiction: eu }\n` +
        `routing: { residency: [{ match: { header: x-country, in: [DE] }, jurisdictions: [eu] }] }\n${SECRET}\n${REDIS}`,
      "4:81: warning: routing.residency[0].jurisdictions: no writer is in these jurisdictions, so writes this rule matches are refused (is that meant?)",
    ],
    [
      "a rule in the shadow of another",
      `${REGIONS}\n${SECRET}\n${REDIS}\nrouting:\n  paths:\n    - { path: /a*, as: static }\n    - { path: /a/b, methods: [POST], as: write }\n`,
      "7:7: warning: routing.paths[1]: never applies, for paths[0] matches first (put the narrower rule first)",
    ],
    [
      "a proxy that is everybody",
      `${REGIONS}\n${SECRET}\n${REDIS}\nlisten: { trustedProxies: [0.0.0.0/0] }`,
      "4:28: warning: listen.trustedProxies[0]: believes the X-Forwarded-* headers of everybody (name the networks of your load balancers)",
    ],
    [
      "a token that nobody verifies",
      `${REGIONS}\n${SECRET}\n${REDIS}\nconsistency:\n  identity: [{ jwt: { cookie: session } }, { jwt: { header: x-jwt, keyFile: a.pem } }]`,
      "5:21: warning: consistency.identity[0].jwt: tokens are believed unverified, so a stranger could hold any user's reads at the writer (give jwksFile or keyFile)",
    ],
    [
      "a connection that may take longer than the answer",
      `${REGIONS}\n${SECRET}\n${REDIS}\nproxy: { connectTimeout: 30s }`,
      "4:26: warning: proxy.connectTimeout: never reached, for responseTimeout ends after 30s (make it shorter)",
    ],
    [
      "maintenance of the only writer",
      `${REGIONS}\n${SECRET}\n${REDIS}\nschedule:\n  maintenance:\n    - { region: us, cron: 0 2 * * 0, lasts: 30m, action: close }`,
      "6:17: warning: schedule.maintenance[0].region: the close is refused each time, as long as us takes the writes (move the write region before it begins, or leave it out)",
    ],
    [
      "two windows of a region at a time",
      `regions:\n  us: { role: writer, endpoints: [http://10.0.0.1:80] }\n  eu: { role: replica, endpoints: [http://10.0.0.2:80] }\n${SECRET}\n${REDIS}\n` +
        "schedule:\n  maintenance:\n    - { region: eu, cron: 0 2 * * 0, lasts: 90m, action: close }\n    - { region: eu, cron: 0 3 1 * *, lasts: 30m, action: drain }",
      "9:27: warning: schedule.maintenance[1].cron: begins while maintenance[0] of eu lasts, and waits for its end (keep the windows of a region apart)",
    ],
    [
      "windows of all regions at a time",
      `regions:\n  us: { role: writer, endpoints: [http://10.0.0.1:80] }\n  eu: { role: writer, endpoints: [http://10.0.0.2:80] }\nrouting: { topology: multi-writer }\n${SECRET}\n${REDIS}\n` +
        "schedule:\n  maintenance:\n    - { region: eu, cron: 0 2 * * 0, lasts: 90m, action: close }\n    - { region: us, cron: 30 2 * * 0, lasts: 30m, action: drain }",
      "10:27: warning: schedule.maintenance[1].cron: begins while all other regions have theirs, so it is refused (keep the windows of the last two regions apart)",
    ],
    [
      "a drill of the region that takes the writes, which nobody moves",
      `${REGIONS}\n${SECRET}\n${REDIS}\nschedule:\n  drills:\n    - { region: us, cron: 0 10 * * 3, lasts: 2m }`,
      "6:17: warning: schedule.drills[0].region: the drill is refused each time, as long as us takes the writes (move the write region before it begins, or black-hole it with failover.mode: automatic)",
    ],
    [
      "a drill that begins with maintenance",
      `regions:\n  us: { role: writer, endpoints: [http://10.0.0.1:80] }\n  eu: { role: replica, endpoints: [http://10.0.0.2:80] }\n  ap: { role: replica, endpoints: [http://10.0.0.3:80] }\n${SECRET}\n${REDIS}\n` +
        "schedule:\n  maintenance:\n    - { region: eu, cron: 0 2 * * 0, lasts: 90m, action: close }\n  drills:\n    - { region: ap, cron: 0 2 * * 0, lasts: 2m }",
      "11:27: warning: schedule.drills[0].cron: begins while maintenance[0] of eu lasts, so it is refused (keep drills apart from each other and from maintenance)",
    ],
    [
      "two drills at a time",
      `regions:\n  us: { role: writer, endpoints: [http://10.0.0.1:80] }\n  eu: { role: replica, endpoints: [http://10.0.0.2:80] }\n  ap: { role: replica, endpoints: [http://10.0.0.3:80] }\n${SECRET}\n${REDIS}\n` +
        "schedule:\n  drills:\n    - { region: eu, cron: 0 2 * * 0, lasts: 5m }\n    - { region: ap, cron: 1 2 * * 0, lasts: 2m, kind: drain }",
      "10:27: warning: schedule.drills[1].cron: begins while drills[0] of eu lasts, and waits for its end (keep drills apart from each other and from maintenance)",
    ],
  ];
  const quiet: readonly (readonly [name: string, more: string])[] = [
    ["of one writer under multi-writer", "routing: { topology: multi-writer }"],
    [
      "of several writers under cookie consistency",
      "  eu: { role: writer, endpoints: [http://10.0.0.2:80] }\nrouting: { topology: multi-writer }\nconsistency: { mode: cookie }",
    ],
  ];
  for (const [name, more] of quiet) {
    test(`is not given ${name}`, () => {
      const regions = "regions:\n  us: { role: writer, endpoints: [http://10.0.0.1:80] }\n";
      assert.deepEqual(warningsOf(`${regions}${more}\n${SECRET}\n${REDIS}`), []);
    });
  }

  for (const [name, file, warning] of rows) {
    test(`is given for ${name}`, () => assert.deepEqual(warningsOf(file), [`f:${warning}`]));
  }
});

const SECRETIVE = `
regions: { us: { role: writer, endpoints: [http://10.0.0.1:80] } }
secrets: [correct-horse-battery]
redis: { url: "rediss://meridian:hunter2@cache.internal:6380/2?password=hunter3" }
admin: { tokens: [{ name: ops, role: operator, sha256: ${"ab".repeat(32)} }] }
consistency: { pinKeys: [a-key-of-correct-horse] }
failover: { hook: { url: "https://ops:hunter4@hooks.internal/promote?key=hunter5" } }
`;

describe("what is shown of a configuration", () => {
  test("holds no secret, no password and no token", () => {
    const config = configOf(SECRETIVE);
    const shown = effectiveYaml(config) + JSON.stringify(redactedConfig(config));
    assert.doesNotMatch(shown, /correct-horse|hunter\d|abab/);
    assert.match(shown, /rediss:\/\/meridian:\[redacted\]@cache\.internal:6380\/2/);
  });

  for (const [kind, address] of [
    ["Sentinels", 'name: mymaster, sentinels: ["redis://me:hunter2@10.0.0.5:26379"]'],
    ["a cluster", 'cluster: ["rediss://meridian:hunter2@10.0.0.5:6379"]'],
  ] as const) {
    test(`holds no password of ${kind} either, nor do the changes`, () => {
      const file = `${REGIONS}\nredis: { ${address} }`;
      const [before, after] = [configOf(file), configOf(file.replace("hunter2", "hunter3"))];
      const shown = effectiveYaml(before) + JSON.stringify(redactedConfig(before));
      assert.match(shown, /:\[redacted\]@10\.0\.0\.5/);
      const changes = configChanges(before, after);
      assert.match(changes.join(), /^redis\.(sentinels|cluster): changed, \[rediss?:\/\/\w+:\[redacted\]@/);
      assert.deepEqual(restartOnly(before, after), changes);
      assert.doesNotMatch(shown + changes.join(), /hunter\d/);
    });
  }

  test("holds no password that has a key of its own, nor do the changes", () => {
    const file = `${REGIONS}\nredis: { cluster: ["10.0.0.5:6379"], username: me, password: hunter2 }`;
    const [before, after] = [configOf(file), configOf(file.replace("hunter2", "hunter3"))];
    assert.deepEqual(redactedConfig(before).redis, {
      cluster: ["10.0.0.5:6379"],
      password: "[redacted]",
      username: "me",
      namespace: "meridian",
    });
    assert.deepEqual(configChanges(before, after), ["redis.password: changed, [redacted]"]);
  });

  test("names what changed and what a reload cannot change", () => {
    const before = configOf(SECRETIVE);
    const after = configOf(
      SECRETIVE.replace("correct-horse", "another-horse")
        .replace("hunter2", "hunter9")
        .replace("http://10.0.0.1:80]", "http://10.0.0.1:80], weight: 50")
        .concat("health: { interval: 90s }\nlisten: { http: { port: 8081 } }\n"),
    );
    assert.deepEqual(configChanges(before, after), [
      "listen.http.port: 8080 -> 8081",
      "secrets: changed, [[redacted]]",
      "redis.url: changed, rediss://meridian:[redacted]@cache.internal:6380/2?[redacted]",
      "regions.us.weight: 100 -> 50",
      "health.interval: 2s -> 90s",
    ]);
    assert.deepEqual(restartOnly(before, after), [
      "listen.http.port: 8080 -> 8081",
      "redis.url: changed, rediss://meridian:[redacted]@cache.internal:6380/2?[redacted]",
    ]);
    assert.deepEqual(configChanges(before, configOf(SECRETIVE)), []);
  });

  test("tells regions that came, went and moved", () => {
    const region = (name: string, role: string, port: number) =>
      `  ${name}: { role: ${role}, endpoints: [http://10.0.0.1:${port}] }\n`;
    const [us, eu, ap] = [
      region("us", "writer", 81),
      region("eu", "replica", 82),
      region("ap", "standby", 83),
    ];
    assert.deepEqual(configChanges(configOf(`regions:\n${us}${eu}`), configOf(`regions:\n${us}${ap}`)), [
      "regions.eu: removed",
      "regions.ap: added { role: standby, endpoints: [http://10.0.0.1:83], http2: false, weight: 100 }",
    ]);
    assert.deepEqual(configChanges(configOf(`regions:\n${us}${eu}`), configOf(`regions:\n${eu}${us}`)), [
      "regions: order us, eu -> eu, us",
    ]);
  });
});

describe("the rules of routing", () => {
  test("are compiled for comparing: values in lower case, a star as a prefix", () => {
    const rules = rulesOf(
      configOf(
        "regions: { us: { role: writer, endpoints: [http://10.0.0.1:80], jurisdiction: us } }\n" +
          "health: { maxLag: 3s }\n" +
          "consistency: { whenWriterDown: stale }\n" +
          "routing:\n" +
          "  policy: weighted\n" +
          "  residency: [{ match: { header: X-Country, in: [US, Ca] }, jurisdictions: [us] }]\n" +
          "  paths: [{ path: /assets/*, as: static }, { path: /search, methods: [POST], as: read }]\n",
      ),
    );
    assert.deepEqual(rules, {
      policy: "weighted",
      topology: "single-writer",
      whenAllDown: "try",
      whenWriterDown: "stale",
      maxLagMs: 3_000,
      monotonicReads: null,
      residency: [{ header: "x-country", values: ["us", "ca"], jurisdictions: ["us"] }],
      paths: [
        { path: "/assets/", prefix: true, methods: null, as: "static" },
        { path: "/search", prefix: false, methods: ["POST"], as: "read" },
      ],
    });
  });
});

test("the configuration in force is one reference, counted from 1", () => {
  const [first, second] = [configOf(REGIONS), configOf(REGIONS)];
  const current = new CurrentConfig(first);
  assert.equal(current.version, 1);
  assert.equal(current.get(), first);
  current.swap(second);
  assert.equal(current.version, 2);
  assert.equal(current.get(), second);
});

describe("a file", () => {
  async function inDirectory(use: (directory: string) => Promise<void>): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), "meridian-config-"));
    await use(directory).finally(() => rm(directory, { recursive: true }));
  }

  async function problemOf(file: string): Promise<string> {
    const loaded = await loadConfigFile(file, {});
    assert.ok(!loaded.ok);
    return loaded.problems.map((problem) => formatProblem("f", problem)).join("\n");
  }

  test("that is not there, is a directory, is not text or never ends is a problem like any other", async () => {
    await inDirectory(async (directory) => {
      const binary = join(directory, "binary");
      await writeFile(binary, Buffer.from([0xff, 0xfe, 0x00]));
      assert.equal(await problemOf(join(directory, "none")), "f:1:1: cannot be read: no such file");
      assert.equal(await problemOf(directory), "f:1:1: cannot be read: it is a directory");
      assert.equal(await problemOf(binary), "f:1:1: not UTF-8 text (is this the right file?)");
      assert.equal(await problemOf("/dev/zero"), "f:1:1: longer than 1 MiB (is this the right file?)");
    });
  });

  test("is validated in a line, and printed such that the print is a file again", async () => {
    await inDirectory(async (directory) => {
      const file = join(directory, "meridian.yaml");
      await writeFile(file, REGIONS);
      assert.deepEqual(await validate(file, false), {
        status: 0,
        out: `${file}: ok, 1 region, 1 endpoint, writes to us\n`,
      });
      const { out } = await validate(file, true);
      assert.deepEqual(configOf(out), configOf(REGIONS));
    });
  });

  test("that is broken fails validation with one line for each problem and their number", async () => {
    await inDirectory(async (directory) => {
      const file = join(directory, "meridian.yaml");
      await writeFile(file, `${REGIONS}\nlog: { level: loud, colour: true }\n`);
      const { status, out, err } = await validate(file, true, "err");
      assert.equal(status, 1);
      assert.equal(out, "");
      assert.deepEqual(err?.split("\n").slice(-4), [
        `${file}:2:15: log.level: expected one of trace, debug, info, warn, error, fatal, silent`,
        `${file}:2:21: log.colour: unknown key (the keys here are level, access)`,
        `${file}: 2 problems`,
        "",
      ]);
    });
  });

  async function validate(file: string, print: boolean, ...also: "err"[]) {
    const sink = () => {
      const texts: string[] = [];
      return { write: (text: string) => texts.push(text), text: () => texts.join("") };
    };
    const [out, err] = [sink(), sink()];
    const status = await validateCommand(file, { print, environment: {}, out, err });
    return { status, out: out.text(), ...(also.length > 0 && { err: err.text() }) };
  }

  test("may come from standard input", async () => {
    const script = `
      import { formatProblem, loadConfigFile } from "./src/config/load.ts";
      const loaded = await loadConfigFile("-", {});
      process.stdout.write(loaded.ok ? "ok" : formatProblem("-", loaded.problems[0]));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      cwd: new URL("../..", import.meta.url),
      stdio: ["pipe", "pipe", "inherit"],
    });
    child.stdin.end("regions: {}\n");
    const chunks: Buffer[] = await Array.fromAsync(child.stdout);
    if (child.exitCode === null) await once(child, "close");
    assert.match(Buffer.concat(chunks).toString(), /^<stdin>:1:10: regions: no region \(/);
  });
});
