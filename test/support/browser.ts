import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PLACES = [
  process.env.CHROMIUM ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** Keeps to itself: no QUIC, no updates, no calls home, and a profile that is gone with it. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts a headless Chromium; the caller closes it. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = PLACES.find((place) => place !== "" && existsSync(place));
  if (executablePath === undefined)
    throw new Error(
      "no Chromium on this machine; install it (apt-get install chromium), or say where it is: CHROMIUM",
    );
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}
