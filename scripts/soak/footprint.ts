import { readdir, readFile, readlink } from "node:fs/promises";

/** What a process holds at one moment. */
export interface Footprint {
  readonly atSeconds: number;
  readonly requests: number;
  readonly rssMiB: number;
  /** As the edge's own metrics have it; null when they could not be read. */
  readonly heapMiB: number | null;
  readonly fds: number;
  readonly sockets: number;
}

const MIB = 1_048_576;

/** Reads `/proc` of the edge's process, and its metrics. */
export async function footprint(
  { pid, adminUrl }: { readonly pid: number; readonly adminUrl: string },
  { atSeconds, requests }: Pick<Footprint, "atSeconds" | "requests">,
): Promise<Footprint> {
  const [rssMiB, heapMiB, links] = await Promise.all([rss(pid), heap(adminUrl), openFiles(pid)]);
  const sockets = links.filter((link) => link.startsWith("socket:")).length;
  return { atSeconds, requests, rssMiB, heapMiB, fds: links.length, sockets };
}

async function rss(pid: number): Promise<number> {
  const [, kib = "0"] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return tenths(Number(kib) / 1_024);
}

async function heap(adminUrl: string): Promise<number | null> {
  const text = await fetch(`${adminUrl}/metrics`).then(
    (answer) => answer.text(),
    () => "",
  );
  const [, bytes] = /^\w*nodejs_heap_size_used_bytes\S* ([\d.e+]+)/m.exec(text) ?? [];
  return bytes === undefined ? null : tenths(Number(bytes) / MIB);
}

/** What each descriptor points to; one that was closed meanwhile is left out. */
async function openFiles(pid: number): Promise<string[]> {
  const names = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => null)));
  return links.filter((link) => link !== null);
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
