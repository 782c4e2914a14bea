import type { RequestListener } from "node:http";
import { Authority, type Issued } from "./certificates.ts";
import { FrameClient } from "./h2-frames.ts";
import { type ScriptedWorld, startScripted } from "./scripted.ts";

/** An edge that speaks HTTP/2 in front of one region, and the authority that its certificate is of. */
export interface Http2World extends ScriptedWorld {
  readonly authority: Authority;
  readonly issued: Issued;
  readonly port: number;
  frames(options?: { readonly greeting?: boolean }): Promise<FrameClient>;
}

export async function startHttp2(
  handler: RequestListener,
  overrides: Readonly<Record<string, unknown>> = {},
): Promise<Http2World> {
  const authority = await Authority.create();
  const issued = await authority.issue();
  const { certFile, keyFile } = issued;
  const listen = {
    http: { host: "127.0.0.1", port: 0 },
    https: { host: "127.0.0.1", port: 0, certFile, keyFile },
  };
  const quiet = { log: { level: "silent" }, shutdown: { grace: "10s" } };
  const { folder } = authority;
  const world = await startScripted({ main: handler }, { listen, ...quiet, ...overrides }, { folder });
  const port = Number(new URL(world.edge.httpsUrl ?? "").port);
  return {
    ...world,
    authority,
    issued,
    port,
    frames: (options) => FrameClient.open({ port, ca: authority.cert }, options),
    stop: async () => {
      await world.stop();
      await authority.remove();
    },
  };
}
