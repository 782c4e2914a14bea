import cluster from "node:cluster";
import { existsSync } from "node:fs";

/**
 * Loaded before an edge by `node --import`: its workers, not the edge's own process, crash as they start for as long as there is a
 * file `CRASH_FILE`.
 */
const { CRASH_FILE = "" } = process.env;

if (cluster.isWorker && existsSync(CRASH_FILE)) process.kill(process.pid, "SIGSEGV");
