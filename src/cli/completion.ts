import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import tab from "@bomb.sh/tab/commander";
import type { Command } from "commander";
import { call, DEFAULT_ADMIN } from "./client.ts";

/** How long a shell's user waits for the names of regions, at most. */
const ASK_MS = 700;

/**
 * Adds `complete SHELL`, which prints what a shell has to run once, and answers what the shell then asks at each Tab
 * (`complete -- WORD...`). Regions are those of the edge that the line, or the environment, names; none when it does not answer.
 */
export async function addCompletion(
  program: Command,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const [first, second, ...words] = args;
  const regions = first === "complete" && second === "--" ? await regionsAt(words, environment) : [];
  const word = words.at(-1) ?? "";
  for (const command of tab(program).commands.values()) {
    const region = command.arguments.get("region");
    if (region) region.handler = (complete) => regions.forEach((id) => void complete(id, "region"));
    const config = command.options.get("config");
    if (config) config.handler = (complete) => filesAt(word).forEach((file) => void complete(file, ""));
  }
}

async function regionsAt(
  words: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<readonly string[]> {
  const at = words.indexOf("--admin");
  const admin = (at >= 0 && words[at + 1]) || environment.MERIDIAN_ADMIN || DEFAULT_ADMIN;
  try {
    const address = { admin, token: environment.MERIDIAN_TOKEN };
    const { regions } = (await call(address, "GET", "/v1/regions", undefined, ASK_MS)) as {
      regions: { id: string }[];
    };
    return regions.map(({ id }) => id);
  } catch {
    // A Tab is no place for an error.
    return [];
  }
}

/** What may be meant by a path that is being typed: the shell is told by the library to offer no files itself. */
function filesAt(word: string): readonly string[] {
  const folder = word.endsWith("/") ? word : dirname(word);
  try {
    const found = readdirSync(folder, { withFileTypes: true });
    return found
      .filter((entry) => entry.isDirectory() || /\.(ya?ml|json)$/.test(entry.name))
      .map((entry) => join(folder, entry.name) + (entry.isDirectory() ? "/" : ""));
  } catch {
    return [];
  }
}
