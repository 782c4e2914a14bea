import { z } from "zod";
import { duration, durationWithin, size } from "./values.ts";

const queue = z.strictObject({
  length: z.int().min(0).default(128).describe("Requests that may wait for one region; 0: none waits."),
  timeout: duration.prefault("500ms").describe("How long one waits, at most."),
});

const slowBodies = z.strictObject({
  bytesPerSecond: size()
    .prefault(500)
    .describe("What a client has to send of a body, on the average; 0: only proxy.idleTimeout counts."),
  grace: duration.prefault("20s").describe("How long it may make others wait beside that."),
});

const overload = z.strictObject({
  eventLoopDelay: durationWithin({ least: "0ms" })
    .prefault("500ms")
    .describe("How late this process may come to do what is due; 0ms: not looked at."),
  memoryPercent: z
    .number()
    .min(0)
    .max(100)
    .default(90)
    .describe(
      "How full the heap, or the memory that the system lets this process have, may be; 0: not looked at.",
    ),
});

/** What clients may take of an edge. */
export const limits = z.strictObject({
  maxUrlBytes: size({ least: 256 })
    .prefault("16KiB")
    .describe("Longest request target; it also has to fit into proxy.maxHeaderBytes."),
  maxHeaders: z.int().min(10).max(2_000).default(100).describe("Headers of one request."),
  headersTimeout: duration
    .prefault("20s")
    .describe("How long a client may take for a request's head; for the first one from when it connects."),
  idleConnectionTimeout: duration
    .prefault("75s")
    .describe(
      "How long a connection stays open between two requests; longer than balancers in front keep theirs.",
    ),
  connections: z
    .int()
    .min(1)
    .default(20_000)
    .describe("Connections of clients, at most; fewer when this process may not open that many files."),
  connectionsPerAddress: z
    .int()
    .min(0)
    .default(0)
    .describe(
      "Connections from one address, an IPv6 network of 64 bits being one; not from trustedProxies; 0: any number.",
    ),
  requestsPerRegion: z
    .int()
    .min(0)
    .default(0)
    .describe("Requests in flight at one region; more wait in the queue. 0: any number."),
  queue: queue.prefault({}).describe("Where requests wait for a region that has requestsPerRegion."),
  slowBodies: slowBodies.prefault({}).describe("Ends requests whose bodies drip."),
  overload: overload
    .prefault({})
    .describe("When this edge takes no new connections, for the sake of those it has."),
});
