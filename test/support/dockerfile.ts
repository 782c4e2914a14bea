import { readFile } from "node:fs/promises";

export interface Instruction {
  /** In capitals, `COPY`. */
  readonly name: string;
  readonly args: string;
}

const FILE = new URL("../../Dockerfile", import.meta.url);

/** The instructions of the Dockerfile before the first stage, and of each stage. */
export async function dockerfileStages(): Promise<readonly (readonly Instruction[])[]> {
  const text = await readFile(FILE, "utf8");
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.trimStart().startsWith("#"));
  const stages: Instruction[][] = [[]];
  for (const line of lines.join("\n").replaceAll("\\\n", " ").split("\n")) {
    const [, name = "", args = ""] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === "") throw new Error(`not an instruction: ${line}`);
    if (name === "FROM") stages.push([]);
    stages.at(-1)?.push({ name, args: args.replaceAll(/\s+/g, " ").trim() });
  }
  return stages;
}

/** The words of an instruction in exec form; null when a shell would read it. */
export function execForm(args: string): readonly string[] | null {
  const [, list] = /(\[.*\])$/.exec(args) ?? [];
  return list === undefined ? null : JSON.parse(list);
}
