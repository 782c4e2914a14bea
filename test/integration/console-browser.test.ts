import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, afterEach, before, describe, it } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { WorldControl } from "../../src/demo/control.ts";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import type { Edge } from "../../src/edge.ts";
import { startBrowser } from "../support/browser.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { startWorld } from "../support/world.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const VIEWS = ["overview", "decisions", "drills", "fleet", "events"];
const PHONE = { width: 390, height: 844 };
const TOKENS = { look: "viewer", act: "operator" } as const;

let browser: Browser;
let world: SimulatedWorld;
let control: WorldControl;
/** Without tokens, and with. */
let open: Edge;
let guarded: Edge;
let context: BrowserContext;
/** What the page was not to do: call other hosts, and complain. */
let outside: string[];
let complaints: string[];

before(async () => {
  world = await startWorld();
  control = new WorldControl(world);
  const hook = `failover: { hook: { url: "${await control.listen(0)}/promote", timeout: 5s } }`;
  const places = { "us-east": [39, -77.5], "eu-west": [53.3, -6.3], "ap-south": [19.1, 72.9] };
  const regions = Object.entries(places).map(([id, location]) => `${id}: { location: [${location}] }`);
  const yaml = `${hook}\nregions: { ${regions.join(", ")} }\nedge: { location: [50.1, 8.7] }`;
  const tokens = Object.entries(TOKENS).map(
    ([token, role]) =>
      `{ name: ${role}, role: ${role}, sha256: "${createHash("sha256").update(token).digest("hex")}" }`,
  );
  [open, guarded, browser] = await Promise.all([
    startTestEdge(world, yaml),
    startTestEdge(world, `${yaml}\nadmin: { tokens: [${tokens.join(", ")}] }`),
    startBrowser(),
  ]);
});
after(async () => {
  await browser?.close();
  await Promise.all([open?.stop(0), guarded?.stop(0)]);
  await control.stop();
  await world.stop();
});
afterEach(() => context.close());

const NEAREST = ["eu-west", "us-east", "ap-south"];

/** A page on its own, as somebody sees it who has never been here. */
async function visit(edge: Edge, options: Parameters<Browser["newContext"]>[0] = {}): Promise<Page> {
  // A browser that starts keeps the machine so busy that another region may seem nearer for a moment.
  await eventually(
    () =>
      assert.deepEqual(
        edge.table.view.nearest.map(({ id }) => id),
        NEAREST,
      ),
    {
      withinMs: 60_000,
    },
  );
  context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  [outside, complaints] = [[], []];
  page.on(
    "request",
    (request) => void (request.url().startsWith(edge.adminUrl) || outside.push(request.url())),
  );
  page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
  page.on("pageerror", (error) => void complaints.push(error.message));
  await page.goto(edge.adminUrl);
  return page;
}

async function enter(page: Page, token: string): Promise<void> {
  await page.getByLabel("Token").fill(token);
  await page.keyboard.press("Enter");
}

const admissionOf = (region: string) => open.table.view.byId.get(region)?.admission;
const headline = (page: Page) => page.getByRole("heading", { level: 1 });

/** How much wider than the screen the page is. */
async function beyondPage(page: Page): Promise<number> {
  const { scrollWidth, clientWidth } = (await page.evaluate(
    "({ scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth })",
  )) as { scrollWidth: number; clientWidth: number };
  return scrollWidth - clientWidth;
}

describe("the console in a browser", () => {
  it("shows every region, where writes go and what was decided, and asks nobody else", async () => {
    for (const path of ["/a", "/b"]) await (await fetch(open.httpUrl + path)).text();
    const page = await visit(open);
    await headline(page).getByText("All 3 regions serve.").waitFor();
    const table = page.getByRole("region", { name: "Table of regions" });
    for (const region of ["us-east", "eu-west", "ap-south"]) {
      await table.getByRole("button", { name: region, exact: true }).waitFor();
      await page.getByRole("button", { name: new RegExp(`^${region} .*Show in the table`) }).waitFor();
    }
    await page.getByText("epoch 1").waitFor();
    await page.getByRole("link", { name: /GET \/b/ }).click();
    await page.getByText(/, because it is the nearest/).waitFor();
    await page.getByText("would do; the chosen one is preferred").first().waitFor();
    assert.deepEqual([outside, complaints], [[], []]);
  });

  it("drains by keyboard alone, after a preview and with a reason, and brings the focus back", async () => {
    const page = await visit(open);
    const actions = page.getByRole("button", { name: "Actions for eu-west" });
    await actions.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Drain …" }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "Drain eu-west" }).waitFor();
    await page.keyboard.press("Enter");
    assert.equal(await page.getByText("What will happen").count(), 0, "nothing without a reason");

    await page.keyboard.type("kernel update");
    await page.keyboard.press("Enter");
    await page.getByText("What will happen").waitFor();
    await page.getByText(/Reads: eu-west → us-east/).waitFor();
    await page.keyboard.press("Enter");
    assert.equal(admissionOf("eu-west"), "open", "a preview changes nothing, nor does an Enter too many");
    await confirm(page, "Drain");
    await headline(page).getByText("eu-west is draining").waitFor();
    assert.equal(admissionOf("eu-west"), "draining");
    assert.equal(await actions.evaluate((element) => element === element.ownerDocument.activeElement), true);

    await page.getByRole("button", { name: "Undrain" }).click();
    await page.keyboard.type("done");
    await page.keyboard.press("Enter");
    await page.getByText("What will happen").waitFor();
    await confirm(page, "Undrain");
    await headline(page).getByText("All 3 regions serve.").waitFor();
    assert.deepEqual(complaints, []);
  });

  it("takes a preview back when something else is typed", async () => {
    const page = await visit(open);
    await page.getByRole("button", { name: "Actions for eu-west" }).click();
    await page.getByRole("button", { name: "Close …" }).click();
    await page.getByLabel("Reason").fill("a");
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByText("What will happen").waitFor();
    await page.getByLabel("Reason").fill("ab");
    assert.equal(await page.getByText("What will happen").count(), 0);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.equal(admissionOf("eu-west"), "open");
  });

  it("shows a refusal in the edge's own words, and force only then", async () => {
    const page = await visit(open);
    await page.getByRole("button", { name: "Actions for us-east" }).click();
    await page.getByRole("button", { name: "Close …" }).click();
    await page.getByLabel("Reason").fill("a try");
    assert.equal(await page.getByRole("checkbox").count(), 0);
    await page.getByRole("button", { name: "Preview" }).click();
    await page
      .getByRole("alert")
      .getByText(/or repeat with force to do without writes/)
      .waitFor();
    await page.getByRole("checkbox").check();
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByRole("button", { name: "Close with force" }).waitFor();
    assert.equal(admissionOf("us-east"), "open");
    assert.equal(complaints.filter((text) => !text.includes("409")).length, 0);
  });

  it("shows text as text, whatever it says", async () => {
    const page = await visit(open);
    const why = '<img src=x onerror="document.title=1"><b>bold</b>';
    await page.getByRole("button", { name: "Actions for ap-south" }).click();
    await page.getByRole("button", { name: "Close …" }).click();
    await page.getByLabel("Reason").fill(why);
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Close", exact: true }).click();
    await page.getByRole("list", { name: "What is not as usual" }).getByText(why).waitFor();
    await page.getByText(`${why} (local)`).first().waitFor();
    assert.equal(await page.title(), "Meridian");
    await open.admissions.set("ap-south", { ...recordOf("open") });
    assert.deepEqual(complaints, []);
  });

  it("moves the write region, and shows where writes go then", async () => {
    const page = await visit(open);
    await page.getByRole("button", { name: "Actions for eu-west" }).click();
    await page.getByRole("button", { name: "Promote …" }).click();
    await page.getByLabel("Reason").fill("rehearsal");
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByText("Writes go to eu-west instead of us-east, as epoch 2.").waitFor();
    assert.equal(open.table.view.writeRegion, "us-east");
    await page.getByRole("button", { name: "Promote", exact: true }).click();
    await page.getByText("Writes go to eu-west.").first().waitFor({ timeout: 20_000 });
    await page.getByText("epoch 2").first().waitFor();
    assert.equal(open.table.view.writeRegion, "eu-west");
    assert.equal(world.writer.id, "eu-west");
    await (await fetch(`${open.httpUrl}/items/a`, { method: "PUT", body: "x" })).text();
    await page.goto(`${open.adminUrl}/#decisions`);
    await page.getByRole("link", { name: /PUT \/items\/a/ }).click();
    await page.getByText("because it is a write, and this is the write region").waitFor();
    assert.deepEqual(complaints, []);
  });

  for (const [where, options] of [
    ["on a desk", {}],
    ["on a phone", { viewport: PHONE }],
  ] as const)
    it(`keeps the list still and the reason in sight for whoever is far down, and begins other views at their top, ${where}`, async () => {
      for (let sent = 0; sent < 100; sent++) await (await fetch(`${open.httpUrl}/${sent}`)).text();
      const page = await visit(open, options);
      await page.goto(`${open.adminUrl}/#decisions`);
      await page.getByRole("link", { name: /GET \/5\b/ }).click();
      const why = page.getByRole("heading", { name: "Why this region?" });
      await eventually(async () => {
        const { y = -1 } = (await why.boundingBox()) ?? {};
        assert.ok(y > 0 && y < 600, `it is at ${y}`);
      });
      await (await fetch(`${open.httpUrl}/later`)).text();
      await page.getByRole("link", { name: /GET \/6\b/ }).click();
      await page.waitForTimeout(2_000);
      assert.equal(await page.getByRole("link", { name: /GET \/later/ }).count(), 0, "it stands still");
      await page.getByRole("link", { name: "Close" }).click();
      await page.getByRole("link", { name: /GET \/later/ }).waitFor();
      await page.mouse.wheel(0, 5_000);
      await page.getByRole("link", { name: "Fleet" }).click();
      await page.getByText("Edges, and what each sees").waitFor();
      assert.equal(await page.evaluate("window.scrollY"), 0);
      assert.deepEqual(complaints, []);
    });

  for (const width of [800, 1_000, 1_280])
    it(`has room for everything on a screen of ${width} pixels`, async () => {
      const page = await visit(open, { viewport: { width, height: 800 } });
      for (const view of VIEWS) {
        await page.goto(`${open.adminUrl}/#${view}`);
        await headline(page).waitFor();
        assert.ok((await beyondPage(page)) <= 0, view);
      }
    });

  it("begins a drill and stops it, and keeps the report", async () => {
    const page = await visit(open);
    await page.goto(`${open.adminUrl}/#drills`);
    await page.getByRole("button", { name: "Begin a drill …" }).click();
    await page.getByLabel("Region").selectOption("ap-south");
    await page.getByLabel("How it is lost").selectOption("drain");
    await page.getByLabel("Reason").fill("quarterly");
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByText("What will happen").waitFor();
    await page.getByRole("button", { name: "Begin", exact: true }).click();
    await page.getByText("is lost to every edge").waitFor();
    await page.getByRole("button", { name: "Stop drill …" }).click();
    await page.getByLabel("Reason").fill("enough");
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByRole("button", { name: "Stop drill", exact: true }).click();
    await page.getByRole("cell", { name: /Stopped/ }).waitFor({ timeout: 15_000 });
  });

  it("says at once that a region is down, and why", async () => {
    const page = await visit(open);
    await headline(page).waitFor();
    await world.region("ap-south").kill();
    await headline(page).getByText("ap-south is down. 2 of 3 regions serve.").waitFor();
    await page
      .getByText(/ECONNREFUSED/)
      .first()
      .waitFor();
    await page.getByText("ap-south is down", { exact: true }).last().waitFor();
    await world.region("ap-south").heal();
    await headline(page).getByText("All 3 regions serve.").waitFor();
  });

  it("says how old its news are when the edge is heard no more", async () => {
    const page = await visit(open);
    await headline(page).waitFor();
    await context.setOffline(true);
    await page.getByText(/last heard \d+ s ago/).waitFor();
    assert.equal(await page.locator("main.stale").count(), 1);
    await context.setOffline(false);
    await page.getByText("live", { exact: true }).waitFor();
  });

  it("fits on a phone, and obeys the scheme that is preferred or chosen", async () => {
    const page = await visit(open, { viewport: PHONE, colorScheme: "dark" });
    await headline(page).waitFor();
    const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    for (const view of VIEWS) {
      await page.goto(`${open.adminUrl}/#${view}`);
      await headline(page).waitFor();
      assert.ok((await beyondPage(page)) <= 0, view);
    }
    const dark = await ground();
    await page.getByRole("button", { name: "Switch to light" }).click();
    const light = await ground();
    assert.notEqual(light, dark);
    await page.reload();
    await headline(page).waitFor();
    assert.equal(await ground(), light);
  });

  for (const colorScheme of ["light", "dark"] as const) {
    it(`can be used by everybody, as far as axe knows, in ${colorScheme}`, async () => {
      await open.admissions.set("eu-west", recordOf("draining"));
      const page = await visit(open, { colorScheme, bypassCSP: true });
      for (const view of VIEWS) {
        await page.goto(`${open.adminUrl}/#${view}`);
        await headline(page).waitFor();
        assert.deepEqual(await violations(page), [], view);
      }
      await page.goto(`${open.adminUrl}/#overview`);
      await page.getByRole("button", { name: "Actions for eu-west" }).click();
      assert.deepEqual(await violations(page), [], "menu");
      await page.getByRole("button", { name: "Undrain …" }).click();
      await page.getByLabel("Reason").fill("over");
      await page.getByRole("button", { name: "Preview" }).click();
      await page.getByText("What will happen").waitFor();
      assert.deepEqual(await violations(page), [], "dialog");
      await open.admissions.set("eu-west", recordOf("open"));
    });
  }
});

describe("the console of an edge with tokens", () => {
  it("asks for one, refuses a wrong one, and keeps the right one out of every address", async () => {
    const page = await visit(guarded);
    await enter(page, "guess");
    await page.getByRole("alert").getByText("The edge does not know this token.").waitFor();
    await enter(page, "act");
    await headline(page).getByText("All 3 regions serve.").waitFor();
    await page.getByText("operator", { exact: true }).waitFor();
    await page.reload();
    await headline(page).getByText("All 3 regions serve.").waitFor();
    assert.doesNotMatch(page.url(), /act/);
    assert.deepEqual(outside, []);
    assert.equal((await context.cookies()).length, 0);
    await page.getByRole("button", { name: "Forget token" }).click();
    await page.getByLabel("Token").waitFor();
  });

  it("shows a viewer everything, and nothing to change it with", async () => {
    const page = await visit(guarded);
    await enter(page, "look");
    await page.getByText("viewer", { exact: true }).waitFor();
    await page.getByRole("button", { name: "us-east", exact: true }).click();
    await page.getByText("Last probe").waitFor();
    assert.equal(await page.getByRole("button", { name: /Actions/ }).count(), 0);
    await page.goto(`${guarded.adminUrl}/#drills`);
    await page.getByText("No drill has been made yet.").waitFor();
    assert.equal(await page.getByRole("button", { name: /Begin/ }).count(), 0);
    await page.goto(`${guarded.adminUrl}/#decisions`);
    await page.getByRole("button", { name: "Explain" }).click();
    await page.getByText(/, because it is the nearest/).waitFor();
  });

  it("follows the events with the token", async () => {
    const page = await visit(guarded);
    await enter(page, "act");
    await page.goto(`${guarded.adminUrl}/#events`);
    await eventually(async () => {
      await guarded.reload({ dryRun: false });
      return (await page.getByText(/Configuration read again/).count()) > 0;
    });
  });
});

/** Goes on with Tab to the button that makes the change. */
async function confirm(page: Page, name: string): Promise<void> {
  const button = page.getByRole("dialog").getByRole("button", { name, exact: true });
  const focused = () => button.evaluate((element) => element === element.ownerDocument.activeElement);
  for (let tabs = 0; tabs < 5 && !(await focused()); tabs += 1) await page.keyboard.press("Tab");
  assert.ok(await focused(), `${name} can be reached with Tab`);
  await page.keyboard.press("Enter");
}

/** What axe calls serious or worse, with the places. */
async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE);
  const found = (await page.evaluate("axe.run({ resultTypes: ['violations'] })")) as {
    violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}

function recordOf(state: "open" | "draining") {
  return { state, reason: "a test", by: "ops", sinceWallMs: Date.now(), deadlineWallMs: null };
}
