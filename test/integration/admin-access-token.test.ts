import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { type AdminEdge, adminEdge } from "./admin-edge.ts";

const TOKEN = "hunter2-which-nobody-may-see";
const sha256 = createHash("sha256").update(TOKEN).digest("hex");
const MAIN = path.join(import.meta.dirname, "../../src/main.ts");

interface Ran {
  readonly out: string;
  readonly err: string;
  readonly status: number | null;
}

/** `meridian` as a process, with nothing of Meridian's in its environment but what is given. */
function start(args: readonly string[], environment: Record<string, string> = {}, input = "") {
  const { MERIDIAN_TOKEN: _, MERIDIAN_TOKEN_FILE: __, MERIDIAN_ADMIN: ___, ...env } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...env, ...environment } });
  const texts = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (texts.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (texts.err += text));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const ran = once(child, "close").then(([status]): Ran => ({ ...texts, status }));
  return { child, ran };
}

describe("the token of a command", () => {
  let edge: AdminEdge;
  let folder: string;
  let file: string;
  let admin: string[];
  before(async () => {
    edge = await adminEdge({ admin: { port: 0, tokens: [{ name: "ops", role: "operator", sha256 }] } });
    folder = await mkdtemp(path.join(tmpdir(), "meridian-token-"));
    file = path.join(folder, "token");
    await writeFile(file, `${TOKEN}\n`);
    admin = ["--admin", edge.url];
  });
  after(async () => {
    await edge.close();
    await rm(folder, { recursive: true });
  });

  it("comes from a file, standard input, the environment, or, with a warning, the command line", async () => {
    const ways: [readonly string[], Record<string, string>, string][] = [
      [["--token-file", file], {}, ""],
      [["--token-file", "-"], {}, `${TOKEN}\n`],
      [[], { MERIDIAN_TOKEN: TOKEN }, ""],
      [[], { MERIDIAN_TOKEN_FILE: file }, ""],
      [["--token-file", file], { MERIDIAN_TOKEN: "another", MERIDIAN_TOKEN_FILE: "/nowhere" }, ""],
      [["--token", TOKEN], { MERIDIAN_TOKEN_FILE: "/nowhere" }, ""],
    ];
    const runs = await Promise.all(
      ways.map(([args, env, input]) => start(["status", "--json", ...admin, ...args], env, input).ran),
    );
    for (const [index, { out, err, status }] of runs.entries()) {
      const isTyped = ways[index]?.[0][0] === "--token";
      assert.equal(status, 0, `${ways[index]?.[0]}: ${err}`);
      assert.equal(JSON.parse(out).edge, "edge-1");
      assert.match(err, isTyped ? /^warning: --token shows in the list of processes.*\n$/ : /^$/);
    }
  });

  it("is refused with one line, and not repeated, when it cannot be one", async () => {
    const empty = path.join(folder, "empty");
    await writeFile(empty, "\n");
    const ways: [readonly string[], string, RegExp][] = [
      [
        ["--token-file", "/nowhere/token"],
        "",
        /^error: the token file \/nowhere\/token cannot be read: no such file\n/,
      ],
      [["--token-file", empty], "", /^error: a token is letters/],
      [["--token-file", "-"], "two hunter2-words", /^error: a token is letters/],
      [["--token-file", file, "--token", TOKEN], "", /^error: give --token or --token-file, not both\n/],
      [["--admin", `http://ops:${TOKEN}@127.0.0.1:1`], "", /^error: the admin API takes no user or password/],
    ];
    const runs = await Promise.all(ways.map(([args, input]) => start(["status", ...args], {}, input).ran));
    for (const [index, { out, err, status }] of runs.entries()) {
      assert.equal(status, 2, err);
      assert.match(err, ways[index]?.[2] ?? /^$/);
      assert.doesNotMatch(out + err, /hunter2/);
    }
  });

  it("is not in the list of processes, and goes nowhere but to the edge", async (t) => {
    const heard: IncomingHttpHeaders[] = [];
    let answer = () => {};
    const elsewhere = createServer((req, res) => {
      heard.push(req.headers);
      res.end("{}");
    });
    const slow = createServer((_, res) => {
      const { port } = elsewhere.address() as AddressInfo;
      answer = () => res.writeHead(307, { location: `http://127.0.0.1:${port}/` }).end();
    });
    for (const server of [elsewhere, slow]) {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      t.after(() => server.close());
    }
    const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
    const asked = once(slow, "request");
    const { child, ran } = start(["undrain", "eu-west", "--admin", url, "--token-file", file]);
    await asked;
    const listed = await readFile(`/proc/${child.pid}/cmdline`, "utf8").catch(() => "");
    assert.doesNotMatch(listed, /hunter2/);
    if (process.platform === "linux") assert.match(listed, /--token-file/);
    answer();
    const { out, err, status } = await ran;
    assert.equal(status, 1);
    assert.doesNotMatch(out + err, /hunter2/);
    assert.deepEqual(heard, [], "a redirection is not followed");
  });

  it("is not in what is said when it is wrong, or nobody answers", async () => {
    const wrong = "hunter2-but-wrong";
    const runs = await Promise.all([
      start(["status", ...admin], { MERIDIAN_TOKEN: wrong }).ran,
      start(["status", "--admin", "http://127.0.0.1:1"], { MERIDIAN_TOKEN: wrong }).ran,
      start(["status", "--help"], { MERIDIAN_TOKEN: wrong }).ran,
    ]);
    assert.deepEqual(
      runs.map(({ status }) => status),
      [1, 1, 0],
    );
    for (const { out, err } of runs) assert.doesNotMatch(out + err, /hunter2/);
  });
});
