import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import path from "node:path";

const ROOT = path.join(import.meta.dirname, "../..");

/** A fenced block of a document. */
export interface Fenced {
  readonly document: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

const documents = () => globSync(["*.md", "docs/**/*.md"], { cwd: ROOT }).sort();

/** Every fenced block of the README and its like, and of `docs`. */
export function fencedBlocks(): readonly Fenced[] {
  return documents().flatMap((document) =>
    blocksOf(document, readFileSync(path.join(ROOT, document), "utf8").split("\n")),
  );
}

/** What stands in backquotes in the sentences of the documents, and of which. */
export function quotedInSentences(): readonly { readonly document: string; readonly quoted: string }[] {
  return documents().flatMap((document) => {
    const text = readFileSync(path.join(ROOT, document), "utf8").replaceAll(/^\s*```[\s\S]*?^\s*```/gm, "");
    return [...text.matchAll(/`([^`\n]+)`/g)].map(([, quoted = ""]) => ({ document, quoted }));
  });
}

const RUN_IN_SENTENCES = /^(meridian|curl|openssl|redis-cli|systemctl) ./;

/**
 * The commands in the sentences of the runbooks: for each of their entries a block in `sh`, whose document is that entry, because
 * what one alert asks for should not meet what another has changed.
 */
export function runbookBlocks(): readonly Fenced[] {
  return globSync("docs/runbooks/*.md", { cwd: ROOT }).flatMap((document) => {
    const lines = readFileSync(path.join(ROOT, document), "utf8").split("\n");
    let entry = document;
    return lines.flatMap((line, index) => {
      entry = line.startsWith("## ") ? `${document}#${line.slice(3).toLowerCase()}` : entry;
      return [...line.matchAll(/`([^`]+)`/g)]
        .filter(([, quoted = ""]) => RUN_IN_SENTENCES.test(quoted))
        .map(([, text = ""]) => ({ document: entry, line: index + 1, language: "sh", text }));
    });
  });
}

function blocksOf(document: string, lines: readonly string[]): readonly Fenced[] {
  const blocks: Fenced[] = [];
  let open: { line: number; language: string; indent: number } | null = null;
  let text: string[] = [];
  for (const [index, line] of lines.entries()) {
    const [, space = "", language = ""] = /^(\s*)```(\S*)/.exec(line) ?? [];
    if (!/^\s*```/.test(line)) {
      if (open) text.push(line.slice(open.indent));
    } else if (open) {
      blocks.push({ document, line: open.line, language: open.language, text: text.join("\n") });
      open = null;
    } else {
      open = { line: index + 1, language, indent: space.length };
      text = [];
    }
  }
  return blocks;
}

/** The commands of a block in `sh`, or those after the `$ ` of one in `console`, which shows their output too. */
export function commandsOf({ language, text }: Fenced): readonly string[] {
  const lines = text.split("\n");
  if (language !== "console") return wholeCommands(lines);
  const typed: string[] = [];
  for (const line of lines) {
    const goesOn = typed.at(-1)?.endsWith("\\") || /<<'?EOF'?$/.test(typed.at(-1) ?? "");
    if (line.startsWith("$ ")) typed.push(line.slice(2));
    else if (goesOn) typed.push(line);
  }
  return wholeCommands(typed);
}

/** Lines are put together until a shell reads them as something whole. */
function wholeCommands(lines: readonly string[]): readonly string[] {
  const commands: string[] = [];
  let begun: string[] = [];
  for (const line of lines) {
    if (begun.length === 0 && /^\s*(#|$)/.test(line)) continue;
    begun.push(line);
    if (line.endsWith("\\") || shellComplaint(begun.join("\n")) !== "") continue;
    commands.push(begun.join("\n"));
    begun = [];
  }
  return begun.length === 0 ? commands : [...commands, begun.join("\n")];
}

/** What a shell has to say against the text as a program; empty when nothing. */
export function shellComplaint(text: string): string {
  try {
    execFileSync("bash", ["-n"], { input: `${text}\n`, stdio: ["pipe", "ignore", "pipe"] });
    return "";
  } catch (error) {
    return String((error as { stderr: Buffer }).stderr);
  }
}
