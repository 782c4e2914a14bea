import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** For the `skip` of tests that need certificates: why they cannot run, or false. */
export const withoutOpenssl =
  spawnSync("openssl", ["version"]).status === 0
    ? false
    : "openssl, which makes the certificates, is not here";

export interface Issued {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Wanted {
  /** `localhost`, `127.0.0.1`, `*.shop.example`. */
  readonly names?: readonly string[];
  readonly days?: number;
  readonly algorithm?: "ec" | "rsa" | "weak";
}

const KEYS = {
  ec: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
  rsa: ["-newkey", "rsa:2048"],
  weak: ["-newkey", "rsa:512"],
};

/** An authority of a test's own, with a folder for what it issues. */
export class Authority {
  readonly folder: string;
  readonly certFile: string;
  readonly #keyFile: string;
  cert = "";
  #issued = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.certFile = join(folder, "authority.pem");
    this.#keyFile = join(folder, "authority.key");
  }

  static async create(): Promise<Authority> {
    const authority = new Authority(await mkdtemp(join(tmpdir(), "meridian-certificates-")));
    const { certFile } = authority;
    const files = ["-keyout", authority.#keyFile, "-out", certFile];
    const rest = ["-nodes", "-days", "400", "-subj", "/CN=Authority of a test"];
    await openssl(
      "req",
      "-x509",
      ...KEYS.ec,
      ...files,
      ...rest,
      "-addext",
      "basicConstraints=critical,CA:TRUE",
    );
    authority.cert = await readFile(certFile, "utf8");
    return authority;
  }

  /** A certificate for these names; one of less than no days has expired. */
  async issue({
    names = ["localhost", "127.0.0.1"],
    days = 90,
    algorithm = "ec",
  }: Wanted = {}): Promise<Issued> {
    this.#issued += 1;
    const at = (ending: string) => join(this.folder, `${this.#issued}.${ending}`);
    const [keyFile, certFile, request] = [at("key"), at("pem"), at("csr")];
    const alternatives = names.map((name) => (/^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`));
    const subject = ["-subj", "/CN=issued for a test", "-addext", `subjectAltName=${alternatives}`];
    await openssl(
      "req",
      "-new",
      ...KEYS[algorithm],
      "-nodes",
      "-keyout",
      keyFile,
      "-out",
      request,
      ...subject,
    );
    const by = ["-CA", this.certFile, "-CAkey", this.#keyFile, "-copy_extensions", "copy"];
    await openssl("x509", "-req", "-in", request, ...by, "-days", `${days}`, "-out", certFile);
    const [cert, key] = await Promise.all([readFile(certFile, "utf8"), readFile(keyFile, "utf8")]);
    return { cert, key, certFile, keyFile };
  }

  /** Puts one pair's content into the files of another, as whoever renews certificates does. */
  async renew({ certFile, keyFile }: Issued, { cert, key }: Issued): Promise<void> {
    for (const [file, text] of [[keyFile, key] as const, [certFile, cert] as const]) {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
    }
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function openssl(...args: readonly string[]): Promise<void> {
  await promisify(execFile)("openssl", args);
}
