import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, describe, type TestContext, test } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { ask, KINDS, type Kind } from "../support/asked.ts";
import { Authority, type Issued, type Wanted, withoutOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { good } from "../support/raw-region.ts";
import { startRawWorld } from "../support/raw-world.ts";

/** A region over https that may come back with another certificate. */
class SecureRegion {
  readonly asked: string[] = [];
  port = 0;
  #stop: () => Promise<void> = async () => {};

  async start({ cert, key }: Issued): Promise<void> {
    const server = createServer({ cert, key }, (req, res) => {
      if (req.url !== "/healthz") this.asked.push(req.method ?? "");
      req.resume();
      res.end("ok");
    });
    server.on("tlsClientError", () => {});
    await once(server.listen(this.port, "127.0.0.1"), "listening");
    this.port = (server.address() as AddressInfo).port;
    this.#stop = async () => {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    };
  }

  stop(): Promise<void> {
    return this.#stop();
  }
}

describe("a region whose certificate", { skip: withoutOpenssl }, () => {
  let authority: Authority;
  before(async () => {
    authority = await Authority.create();
    setDefaultCACertificates([authority.cert]);
  });
  after(async () => {
    setDefaultCACertificates(getCACertificates("bundled"));
    await authority.remove();
  });

  async function secure(t: TestContext) {
    const region = new SecureRegion();
    t.after(() => region.stop());
    await region.start(await authority.issue());
    const health = { interval: "500ms", timeout: "400ms", rise: 1, fall: 2 };
    const mainUrl = `https://127.0.0.1:${region.port}`;
    return { region, ...(await startRawWorld(t, good, { mainUrl, health })) };
  }

  const wrong: Readonly<Record<string, readonly [Wanted, RegExp]>> = {
    "has expired": [{ days: -1 }, /CERT_HAS_EXPIRED/],
    "is for another name": [{ names: ["elsewhere.example"] }, /ALTNAME_INVALID/],
  };
  for (const [what, [wanted, cause]] of Object.entries(wrong)) {
    test(`${what} gets nothing until it has a good one, and its status says why`, async (t) => {
      const { region, edge } = await secure(t);
      assert.equal((await ask(edge.httpUrl, "POST")).saw, "200 main");
      const bad = await authority.issue(wanted);
      await region.stop();
      await region.start(bad);
      region.asked.length = 0;

      const kinds = Object.keys(KINDS) as Kind[];
      const asked = await Promise.all(kinds.map((kind) => ask(edge.httpUrl, kind)));
      const seen = Object.fromEntries(kinds.map((kind, i) => [kind, asked[i]?.saw]));
      // Nothing was sent, so all may be served elsewhere but the write.
      assert.match(seen.POST ?? "", /^(502 connect_failed|503 writer_down)$/);
      assert.deepEqual(
        { ...seen, POST: null },
        {
          ...{ GET: "200 other", HEAD: "200 other", "GET with a body": "200 other", POST: null },
          upgrade: "101 other",
        },
      );
      const main = () => edge.table.status().find(({ id }) => id === "main");
      await eventually(() => assert.equal(main()?.health, "down"));
      await eventually(() => assert.match(main()?.endpoints[0]?.lastProbe?.cause ?? "", cause));
      assert.deepEqual(region.asked, []);

      await region.stop();
      await region.start(await authority.issue());
      await eventually(() => assert.equal(main()?.health, "up"));
      assert.equal((await ask(edge.httpUrl, "POST")).saw, "200 main");
    });
  }
});
