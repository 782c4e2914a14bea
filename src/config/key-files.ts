import { resolve } from "node:path";
import { type KeysRead, keysOfJwks, keysOfPem } from "./keys.ts";
import type { Finding } from "./problems.ts";
import { readText } from "./read-text.ts";
import type { Config } from "./schema.ts";
import type { IdentityConfig, JwtConfig } from "./schema-identity.ts";

/** A configuration with the keys that its files hold, and what is wrong with those files. */
export interface WithKeys {
  readonly config: Config;
  readonly findings: readonly Finding[];
}

/**
 * Reads the files of keys that a configuration names, relative to the folder it is in. Nothing else in it names a
 * file that is read with it. Never rejects.
 */
export async function readKeyFiles(config: Config, folder: string): Promise<WithKeys> {
  const { identity } = config.consistency;
  if (identity === undefined) return { config, findings: [] };
  const findings: Finding[] = [];
  const filled = await Promise.all(
    identity.map(async (source, index): Promise<IdentityConfig> => {
      if (source.jwt === undefined) return source;
      const path = ["consistency", "identity", index, "jwt"];
      const report = (key: string, message: string, hint: string) =>
        findings.push({ path: [...path, key], message, hint });
      return { jwt: await withKeys(source.jwt, folder, report) };
    }),
  );
  return { config: { ...config, consistency: { ...config.consistency, identity: filled } }, findings };
}

type Report = (key: string, message: string, hint: string) => unknown;

async function withKeys(jwt: JwtConfig, folder: string, report: Report): Promise<JwtConfig> {
  const key = jwt.jwksFile === undefined ? "keyFile" : "jwksFile";
  const given = jwt[key];
  if (given === undefined) return jwt;
  const read = await readKeys(resolve(folder, given.file), key);
  if (read.ok) return { ...jwt, [key]: { ...given, keys: read.keys } };
  report(key, read.message, read.hint);
  return jwt;
}

async function readKeys(file: string, key: "jwksFile" | "keyFile"): Promise<KeysRead> {
  const read = await readText(file);
  if (!read.ok) return { ok: false, message: read.message, hint: read.hint ?? `looked for ${file}` };
  return key === "jwksFile" ? keysOfJwks(read.text) : keysOfPem(read.text);
}
