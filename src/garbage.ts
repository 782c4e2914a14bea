import { setFlagsFromString } from "node:v8";

/*
 * How V8 collects garbage here. Node has no options of its own for this, and V8 reads these flags when it needs them, so that they are
 * in time at the start of a process.
 */

/** Sets both. */
export function suitGarbageToRequests(): void {
  keepGarbageYoung();
  markSeldom();
}

/**
 * Has V8 make every object where the young are. It watches what survives, and makes the like of it among the old at once. An edge
 * that begins under load has a small heap full of requests under way, so V8 takes the parts of a request for what lasts; from then on
 * each one, dead among the old, keeps its whole request from being collected as young. Of 14 edges started under 64 busy connections 6
 * came to that, and stayed so for minutes: ten times the bytes outlived a young collection, it took 20 ms and more instead of 6, and
 * a request half as much processor time again. Without it none of 26 did.
 */
function keepGarbageYoung(): void {
  setFlagsFromString("--no-allocation-site-pretenuring");
}

/**
 * Has V8 begin to mark what is old when three quarters of the room that it allows itself are used. It begins when as much as two young
 * generations are left of it, 32 MB: of a heap that is as small as an edge's that is nearly at once, every 2 or 3 seconds at
 * 9,600 requests a second, instead of every 20 to 40. While it marks, some 50 ms, its threads want the processor of an edge that has only one.
 */
function markSeldom(): void {
  setFlagsFromString("--incremental-marking-soft-trigger=75");
  setFlagsFromString("--incremental-marking-hard-trigger=90");
}
