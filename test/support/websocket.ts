import { WebSocketServer } from "ws";
import type { SimulatedRegion } from "../../src/demo/simulated-region.ts";

/** Gives a region a WebSocket echo: it greets with its own name, then sends back every message as it came. */
export function acceptWebSockets(region: SimulatedRegion): void {
  const server = new WebSocketServer({ noServer: true });
  server.on("connection", (client) => {
    client.on("error", () => client.terminate());
    client.on("message", (message, isBinary) => client.send(message, { binary: isBinary }));
    client.send(JSON.stringify({ region: region.id }));
  });
  region.onUpgrade = (request, socket, head) =>
    server.handleUpgrade(request, socket, head, (client) => server.emit("connection", client));
}
