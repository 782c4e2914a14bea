import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { deployedBoards } from "../test/support/dashboard-queries.ts";
import { WatchedFleet } from "../test/support/watched-fleet.ts";
import { type Picture, pictureOf } from "./drawing/panel.ts";
import { linesOf, marksOf } from "./drawing/series.ts";

/**
 * Draws each dashboard as of a fleet that has met a drain, a lost region, a switchover, a drill and a Redis that was away:
 * `npm run dashboards:draw -- [SECONDS [DIRECTORY]]`, so many for each step. Needs prometheus and chromium; some five minutes.
 */
const SECONDS = Number(process.argv[2] ?? 20);
const DIRECTORY = path.resolve(process.argv[3] ?? "docs/pictures");
/** What annotations look back, and the time until Prometheus begins. */
const BEFORE_MS = 45_000;

function screenshot({ html, width, height }: Picture, file: string): void {
  const directory = mkdtempSync(path.join(tmpdir(), "meridian-pictures-"));
  const page = path.join(directory, "page.html");
  writeFileSync(page, html);
  const quiet = ["no-first-run", "disable-background-networking", "disable-component-update", "disable-sync"];
  const headless = ["headless", "no-sandbox", "disable-gpu", "hide-scrollbars"];
  const wanted = [
    `user-data-dir=${directory}/profile`,
    `window-size=${width},${Math.ceil(height)}`,
    `screenshot=${file}`,
  ];
  const flags = [...headless, ...quiet, ...wanted].map((flag) => `--${flag}`);
  execFileSync("chromium", [...flags, `file://${page}`], { stdio: "ignore" });
  rmSync(directory, { recursive: true, force: true });
}

const fleet = await WatchedFleet.start();
try {
  await sleep(BEFORE_MS);
  const fromMs = Date.now();
  await fleet.live(SECONDS);
  const span = { fromMs, toMs: Date.now() };
  for (const board of deployedBoards()) {
    const lines = await Promise.all(board.panels.map((panel) => linesOf(fleet.prometheus, panel, span)));
    const marks = await marksOf(fleet.prometheus, board, span);
    screenshot(pictureOf(board, lines, marks, span), path.join(DIRECTORY, `${board.uid}.png`));
    process.stdout.write(`${board.uid}\n`);
  }
} finally {
  await fleet.stop();
}
