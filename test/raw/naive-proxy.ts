import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { StartedLane } from "./edge-lane.ts";
import { RecordingRegion } from "./recording-region.ts";

/**
 * The proxy that everybody writes: hop-by-hop headers off, the body piped. Node frames no body of a DELETE by itself, so
 * that it becomes the next request on a kept connection.
 */
export async function startNaiveProxy(): Promise<StartedLane> {
  const region = await new RecordingRegion().start();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const pass = (req: IncomingMessage, res: ServerResponse): void => {
    const { connection: _, "transfer-encoding": __, ...headers } = req.headers;
    const onward = request(
      region.url + req.url,
      { method: req.method ?? "", headers, agent, insecureHTTPParser: true },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(res);
        answer.on("error", () => res.destroy());
      },
    );
    onward.on("error", () => res.destroy());
    req.pipe(onward);
  };
  const proxy = createServer({ insecureHTTPParser: true }, (req, res) => {
    try {
      pass(req, res);
    } catch {
      // Not even Node's client would send this on.
      res.destroy();
    }
  });
  proxy.on("clientError", (_error, socket) => socket.destroy());
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  return {
    proxyPort: port,
    httpsPort: port,
    region,
    settled: () => sleep(5),
    stop: async () => {
      proxy.close();
      proxy.closeAllConnections();
      agent.destroy();
      await region.stop();
    },
  };
}
