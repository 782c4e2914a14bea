import { subscribe } from "node:diagnostics_channel";

/**
 * Loaded before an edge by `node --import`, to throw what nobody catches: whenever a SIGUSR2 comes, `FAULTY_TIMES` times an
 * error, and once a rejection; with `FAULTY_START` at the first connection too, which is a probe's before the edge is ready.
 */
const { FAULTY_TIMES = "1", FAULTY_START } = process.env;

function thrown(): never {
  throw new Error("a bug");
}

if (FAULTY_START !== undefined) subscribe("net.client.socket", () => setImmediate(thrown));

process.on("SIGUSR2", () => {
  for (let time = 0; time < Number(FAULTY_TIMES); time += 1) setImmediate(thrown);
  void Promise.reject(new Error("a broken promise"));
});
