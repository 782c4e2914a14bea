/** Where time comes from. Everything that waits or measures takes one, so tests and simulation can own time. */
export interface Clock {
  /** Monotonic milliseconds with a fraction; only differences mean anything. */
  now(): number;
  /** Wall-clock milliseconds since the Unix epoch; only for what leaves this process. */
  wall(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
};
