import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release } from "node:os";

export function today(): string {
  return new Date().toISOString().slice(0, 10);
}

/** How many a process may have open at most. */
export function descriptors(): number {
  const [, most] = /^Max open files +\S+ +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return Number(most);
}

/** What was measured with, and on: each a few words. */
export function machine(): readonly string[] {
  return [
    `${cpus().length} cores of ${cpus()[0]?.model ?? "an unknown processor"}`,
    `Linux ${release()}`,
    `Node.js ${process.versions.node}`,
    ...[
      versionIn("nginx", ["-v"], /nginx\/([\d.]+)/),
      versionIn("haproxy", ["-v"], /version ([\d.]+)/),
      versionIn("caddy", ["version"], /v?([\d.]+)/),
      versionIn("redis-server", ["-v"], /v=([\d.]+)/),
      versionIn("wrk", ["-v"], /wrk \w*\/?([\d.]+)/),
    ].filter((each) => each !== null),
  ];
}

function versionIn(program: string, args: readonly string[], pattern: RegExp): string | null {
  const { stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (error) return null;
  return `${program} ${pattern.exec(stdout + stderr)?.[1] ?? "of an unknown version"}`;
}
