import { once } from "node:events";
import { createServer } from "node:net";

/** Below those that the system gives to connections, which a proof makes and ends by the hundred each second. */
const [LEAST, MOST] = [20_000, 32_000];

/** Ports that nobody listens on, and that no connection takes before somebody does. */
export async function quietPorts(count: number): Promise<readonly number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = LEAST + Math.floor(Math.random() * (MOST - LEAST));
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  const isOpen = await Promise.race([
    once(server, "listening").then(() => true),
    once(server, "error").then(() => false),
  ]);
  server.close();
  return isOpen;
}
