/** Milliseconds of the one clock that all processes of a machine share; `performance.now` begins anew in each of them. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
