const Unshifted = Date;
let aheadMs = 0;

class ShiftedDate extends Unshifted {
  constructor(...given: ConstructorParameters<DateConstructor> | []) {
    if (given.length === 0) super(Unshifted.now() + aheadMs);
    else super(...given);
  }

  static override now(): number {
    return Unshifted.now() + aheadMs;
  }
}

/** Sets the wall clock of this process, as everybody in it but Node itself reads it; timers are monotonic and do not mind. */
export function setWallClock(byMs: number): void {
  aheadMs += byMs;
  globalThis.Date = ShiftedDate as DateConstructor;
}

/** Back to the system's time. */
export function resetWallClock(): void {
  aheadMs = 0;
  globalThis.Date = Unshifted;
}
