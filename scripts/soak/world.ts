import { runWorld } from "../../src/demo/world-main.ts";
import { acceptWebSockets } from "../../test/support/websocket.ts";

// Simulated regions with a WebSocket echo, as a process of their own, so that the edge's figures are the edge's.
await runWorld(process.argv.slice(2), { host: "127.0.0.1", control: 0 }, acceptWebSockets);
