import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { startBrowser } from "../../test/support/browser.ts";
import { setScene } from "./scene.ts";

/** Takes pictures of the console over a fleet on this machine: `npm run console:pictures -- [DIRECTORY]`. About a minute. */
const directory = process.argv[2] ?? "docs/pictures";
mkdirSync(directory, { recursive: true });

const DESK = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
/** Until lines in the table have a course, and sessions a home. */
const SETTLED_MS = 18_000;

const scene = await setScene();
const browser = await startBrowser();
try {
  const desk = await open(DESK, "light");
  const night = await open(DESK, "dark");
  const phone = await open(PHONE, "light");
  const phoneAtNight = await open(PHONE, "dark");
  await drill();
  await sleep(SETTLED_MS);
  await shoot(desk, "console-light");
  await shoot(night, "console-dark");
  await shoot(phone, "console-phone");

  await view(night, "#decisions");
  await night.locator(".decisions a").nth(3).click();
  await night.getByText("because").first().waitFor();
  await shoot(night, "console-decision");
  for (const name of ["drills", "fleet", "events"]) {
    await view(desk, `#${name}`);
    await shoot(desk, `console-${name}`);
  }
  await view(desk, "#overview");
  await desk.getByRole("button", { name: "Actions for eu-west" }).click();
  await shoot(desk, "console-menu");
  await desk.getByRole("button", { name: "Drain …" }).click();
  await desk.getByLabel("Reason, for the audit log").fill("kernel update, CHG-1204");
  await desk.getByRole("button", { name: "Preview" }).click();
  await desk.getByText("What will happen").waitFor();
  await shoot(desk, "console-drain");
  await desk.getByRole("button", { name: "Cancel" }).click();

  scene.hookMs = 6_000;
  const promoting = post("v1/write-region", { region: "eu-west", reason: "rehearsal of a move" });
  await desk.getByText("The write region is moving").waitFor();
  await sleep(1_500);
  await shoot(desk, "console-moving");
  await promoting;
  await sleep(1_500);

  await scene.world.region("us-east").kill();
  await night.goto(`${scene.url}/#overview`);
  await night.getByText("us-east is down").first().waitFor();
  await sleep(4_000);
  await shoot(night, "console-down");
  await shoot(phoneAtNight, "console-phone-down");
  await phoneAtNight.getByRole("button", { name: "us-east", exact: true }).click();
  await phoneAtNight.getByRole("button", { name: "us-east", exact: true }).scrollIntoViewIfNeeded();
  await phoneAtNight.mouse.wheel(0, 500);
  await sleep(300);
  await shoot(phoneAtNight, "console-phone-regions");
} finally {
  await browser.close();
  await scene.close();
}

async function open(
  viewport: { width: number; height: number },
  colorScheme: "light" | "dark",
): Promise<Page> {
  const context = await browser.newContext({
    ...{ viewport, colorScheme, reducedMotion: "reduce" },
    deviceScaleFactor: viewport === PHONE ? 2 : 1,
  });
  const page = await context.newPage();
  await page.goto(scene.url);
  return page;
}

async function view(page: Page, hash: string): Promise<void> {
  await page.goto(`${scene.url}/${hash}`);
  await sleep(300);
}

async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${directory}/${name}.png` });
}

function post(path: string, body: object): Promise<Response> {
  return fetch(`${scene.url}/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** So that there is a report to show. */
async function drill(): Promise<void> {
  await sleep(6_000);
  await post("v1/drills", {
    region: "eu-north",
    lasts: "8s",
    reason: "quarterly rehearsal",
    abortAbove: { errorRatio: 0.05 },
    force: true,
  });
  await sleep(10_000);
}
