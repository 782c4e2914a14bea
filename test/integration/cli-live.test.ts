import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { promisify, stripVTControlCharacters } from "node:util";
import { run } from "../support/command-line.ts";
import { eventually } from "../support/eventually.ts";
import { type AdminEdge, adminEdge } from "./admin-edge.ts";

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
const COMPLETE = new URL("../support/complete.bash", import.meta.url).pathname;
const MERIDIAN = `${process.execPath} ${MAIN}`;
const exec = promisify(execFile);

describe("what is watched live", () => {
  let edge: AdminEdge;
  let admin: string[];
  before(async () => {
    edge = await adminEdge();
    admin = ["--admin", edge.url];
  });
  after(() => edge.close());

  it("status --watch says it again and again, and goes on when the edge is away for a while", async () => {
    const ended = new AbortController();
    const lines: string[] = [];
    const errors: string[] = [];
    const watching = run(["status", "--watch", "200ms", "--json", ...admin], {
      ended: ended.signal,
      out: { write: (text: string) => lines.push(text) },
      err: { write: (text: string) => errors.push(text) },
    });
    await eventually(() => lines.length >= 2);
    const port = Number(new URL(edge.url).port);
    await edge.admin.close();
    await eventually(() => errors.length > 0);
    assert.match(errors.join(""), /no answer from http:.*is the edge running/);
    await edge.close();
    edge = await adminEdge({ admin: { port } });
    const heard = lines.length;
    await eventually(() => lines.length > heard);
    ended.abort();
    await watching;
    for (const line of lines) assert.equal(JSON.parse(line).edge, "edge-1");
  });

  it("--watch refuses what is no duration, or would ask without a pause", async () => {
    for (const wrong of ["often", "1ms"]) {
      const { err, exitStatus } = await run(["status", "--watch", wrong, ...admin]);
      assert.equal(exitStatus, 2);
      assert.match(err, /Expected a duration such as 2s, 200ms at least/);
    }
  });

  it("top draws regions, traffic and events on a terminal until q", async () => {
    const top = onTerminal(`${MERIDIAN} top ${admin.join(" ")}`);
    await top.shows(/eu-west +replica +up/);
    await top.shows(/requests\/s here/);
    edge.events.emit("healthChanged", { region: "eu-west", from: "up", to: "down", cause: "refused" });
    await top.shows(/eu-west: up → down \(refused\)/);
    top.press("q");
    assert.equal(await top.ended, 0);
    assert.ok(top.written().includes("\u001b[?1049l"), "gives the terminal back");
  });

  it("top says where no terminal is what to use instead", async () => {
    const { err, exitStatus } = await run(["top", ...admin]);
    assert.equal(exitStatus, 2);
    assert.match(err, /status --watch --json/);
  });

  it("bash completes commands, options, regions of the edge and configuration files", async () => {
    const complete = async (...words: string[]) => {
      const { stdout } = await exec("bash", [COMPLETE, process.execPath, MAIN, ...words], {
        env: { ...process.env, MERIDIAN_ADMIN: edge.url },
      });
      return stdout.split("\n").map((text) => text.trim().split(/\s/)[0]);
    };
    assert.deepEqual((await complete("dr")).filter(Boolean), ["drain", "drill"]);
    assert.ok((await complete("drain", "--de")).includes("--deadline"));
    assert.deepEqual((await complete("drain", "")).filter(Boolean), ["us-east", "eu-west", "ap-south"]);
    assert.ok((await complete("serve", "-c", "config/min")).includes("config/minimal.yaml"));
  });
});

/** A command on a terminal of its own. */
function onTerminal(command: string) {
  const options = { env: { ...process.env, TERM: "xterm-256color" } };
  const child: ChildProcess = spawn(
    "script",
    ["-qefc", `stty cols 160 rows 40; ${command}`, "/dev/null"],
    options,
  );
  let written = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    written += text;
  });
  const plain = () => stripVTControlCharacters(written);
  return {
    written: () => written,
    shows: (text: RegExp) => eventually(() => text.test(plain()), { withinMs: 15_000 }),
    press: (key: string) => child.stdin?.write(key),
    ended: new Promise((resolve) => child.once("exit", resolve)),
  };
}
