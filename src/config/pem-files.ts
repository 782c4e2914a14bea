import { resolve } from "node:path";
import {
  authorityFault,
  type CertificateFacts,
  certificateFacts,
  pairFault,
  timeFault,
} from "./certificate.ts";
import { type Finding, type Path, pathText } from "./problems.ts";
import { readText, type TextRead } from "./read-text.ts";
import type { Config, RegionConfig } from "./schema.ts";
import type { HttpsConfig, PemFile } from "./schema-tls.ts";

/** A certificate and its key, and where the configuration names them. */
export interface KeyPair {
  readonly path: Path;
  readonly certFile: PemFile;
  readonly keyFile: PemFile;
}

/** A configuration with what its PEM files hold, and what is wrong with those files. */
export interface WithPem {
  readonly config: Config;
  /** An edge cannot use these. */
  readonly findings: readonly Finding[];
  /** These it can, for now. */
  readonly cautions: readonly Finding[];
}

/** Reads the PEM files that a configuration names, relative to the folder it is in. Never rejects. */
export async function readPemFiles(config: Config, folder: string): Promise<WithPem> {
  const pathOf = ({ file }: PemFile): string => resolve(folder, file);
  const texts = new Map<string, TextRead>();
  const paths = new Set(pemFilesOf(config).map(({ file }) => pathOf(file)));
  await Promise.all([...paths].map(async (path) => texts.set(path, await readText(path))));
  const findings: Finding[] = [];
  const filled = mapPemFiles(config, (file, path) => {
    const at = pathOf(file);
    const read = texts.get(at);
    if (read?.ok) return { ...file, read: { path: at, text: read.text } };
    if (read) findings.push({ path, message: read.message, hint: read.hint ?? `looked for ${at}` });
    return file;
  });
  findings.push(...keyPairsOf(filled).flatMap(faultOf), ...authorityFindings(filled));
  const cautions = findings.length > 0 ? [] : keyPairsOf(filled).flatMap(cautionOf);
  return { config: filled, findings, cautions };
}

/** Every certificate that this edge shows to somebody, with its key. */
export function keyPairsOf({ listen, regions }: Config): readonly KeyPair[] {
  const clients = Object.entries(regions).flatMap(([name, { tls }]) => {
    if (tls?.certFile === undefined || tls.keyFile === undefined) return [];
    return [{ path: ["regions", name, "tls"], certFile: tls.certFile, keyFile: tls.keyFile }];
  });
  return [...serverPairsOf(listen), ...clients];
}

function serverPairsOf({ https }: Config["listen"]): readonly KeyPair[] {
  if (https === undefined) return [];
  const path = ["listen", "https"];
  const further = https.certificates.map((pair, index) => ({
    ...pair,
    path: [...path, "certificates", index],
  }));
  return [{ ...https, path }, ...further];
}

/** What the files of two configurations hold may differ where their names are the same. */
export function pemChanges(before: Config, after: Config): readonly { path: string; text: string }[] {
  const known = new Map(pemFilesOf(before).map(({ path, file }) => [pathText(path), file]));
  return pemFilesOf(after).flatMap(({ path: steps, file }) => {
    const path = pathText(steps);
    const old = known.get(path);
    if (old === undefined || old.file !== file.file || old.read?.text === file.read?.text) return [];
    return [{ path, text: `${path}: other content of ${file.file}` }];
  });
}

/** What a certificate says of itself, and where it is configured. */
export interface PlacedCertificate extends CertificateFacts {
  /** `listen.https.certificates[0]`. */
  readonly place: string;
}

/** Every certificate that this edge shows to somebody, as far as it was read. */
export function certificatesOf(config: Config): readonly PlacedCertificate[] {
  return keyPairsOf(config).flatMap(({ path, certFile }) => {
    const facts = certificateFacts(certFile.read?.text ?? "");
    return facts === null ? [] : [{ ...facts, place: pathText(path) }];
  });
}

export function namesPemFiles(config: Config): boolean {
  return pemFilesOf(config).length > 0;
}

function pemFilesOf(config: Config): readonly { readonly path: Path; readonly file: PemFile }[] {
  const all: { path: Path; file: PemFile }[] = [];
  mapPemFiles(config, (file, path) => {
    all.push({ path, file });
    return file;
  });
  return all;
}

type Change = (file: PemFile, path: Path) => PemFile;

/** The only place that knows where PEM files are named. */
function mapPemFiles(config: Config, change: Change): Config {
  const { https } = config.listen;
  const listen = https ? { ...config.listen, https: mapHttps(https, change) } : config.listen;
  const regions = Object.fromEntries(
    Object.entries(config.regions).map(([name, region]) => [
      name,
      mapRegion(region, ["regions", name, "tls"], change),
    ]),
  );
  return { ...config, listen, regions };
}

function mapHttps(https: HttpsConfig, change: Change): HttpsConfig {
  const path = ["listen", "https"];
  const certificates = https.certificates.map((one, index) =>
    mapKeys(one, [...path, "certificates", index], change),
  );
  return { ...mapKeys(https, path, change), certificates };
}

function mapRegion(region: RegionConfig, path: Path, change: Change): RegionConfig {
  return region.tls === undefined ? region : { ...region, tls: mapKeys(region.tls, path, change) };
}

const KEYS = ["caFile", "certFile", "keyFile"] as const;

function mapKeys<T extends { readonly [K in (typeof KEYS)[number]]?: PemFile | undefined }>(
  given: T,
  path: Path,
  change: Change,
): T {
  const changed = KEYS.flatMap((key) => {
    const file = given[key];
    return file === undefined ? [] : [[key, change(file, [...path, key])] as const];
  });
  return { ...given, ...Object.fromEntries(changed) };
}

function authorityFindings(config: Config): readonly Finding[] {
  return Object.entries(config.regions).flatMap(([name, { tls }]) => {
    const text = tls?.caFile?.read?.text;
    const fault = text === undefined ? null : authorityFault(text);
    return fault === null ? [] : [{ path: ["regions", name, "tls", "caFile"], ...fault }];
  });
}

function faultOf({ path, certFile, keyFile }: KeyPair): readonly Finding[] {
  if (certFile.read === null || keyFile.read === null) return [];
  const fault = pairFault(certFile.read.text, keyFile.read.text);
  return fault === null ? [] : [{ path: [...path, fault.key], message: fault.message, hint: fault.hint }];
}

/** A certificate that nobody believes any more still lets the edge start: other names have other ones. */
function cautionOf({ path, certFile }: KeyPair): readonly Finding[] {
  const facts = certificateFacts(certFile.read?.text ?? "");
  const message = facts === null ? null : timeFault(facts, Date.now());
  return message === null ? [] : [{ path: [...path, "certFile"], message, hint: "renew it" }];
}
