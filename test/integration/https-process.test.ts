import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { test } from "node:test";
import { connect } from "node:tls";
import { stringify } from "yaml";
import { Authority, withoutOpenssl } from "../support/certificates.ts";
import { startEdgeProcess } from "../support/edge-process.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { startWorld } from "../support/world.ts";

test("an edge as a process serves HTTP/2, shows a renewed certificate after HUP, and says GOAWAY after TERM", {
  skip: withoutOpenssl,
}, async (t) => {
  const [world, authority, port] = await Promise.all([startWorld(), Authority.create(), freePort()]);
  t.after(() => Promise.all([world.stop(), authority.remove()]));
  const first = await authority.issue();
  const { certFile, keyFile } = first;
  const https = { host: "127.0.0.1", port, certFile, keyFile };
  const edge = await startEdgeProcess(edgeYaml(world, stringify({ listen: { https } })));
  t.after(() => edge.kill());
  assert.match(edge.logs(), new RegExp(`"https":"https://127.0.0.1:${port}"`));

  const session = connectHttp2(`https://localhost:${port}`, { ca: authority.cert });
  session.on("error", () => {});
  t.after(() => session.destroy());
  const ask = async () => {
    const stream = session.request({ ":path": "/items/a" });
    const [head] = await once(stream, "response");
    stream.resume();
    return head as Record<string, unknown>;
  };
  assert.ok((await ask())["x-meridian-region"]);

  await authority.renew(first, await authority.issue({ names: ["localhost", "renewed.example"] }));
  edge.child.kill("SIGHUP");
  await eventually(async () => {
    const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ca: authority.cert });
    await once(socket, "secureConnect");
    const names = socket.getPeerCertificate().subjectaltname ?? "";
    socket.destroy();
    assert.match(names, /renewed\.example/);
  });
  assert.ok((await ask())["x-meridian-region"]);

  const goaway = once(session, "goaway");
  assert.equal(await edge.stop(), 0);
  assert.deepEqual((await goaway)[0], 0);
});
