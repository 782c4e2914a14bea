import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Order, takeOrders } from "../chaos/child.ts";

/**
 * The other clients of a siege, a process of their own: some that have asked once and hold their connection, some that ask
 * now and then, and some that attack, with heads or with bodies that drip. An attacker who is cut comes again.
 */
export interface CrowdCount {
  readonly idle: number;
  readonly active: number;
  readonly slowHeads: number;
  readonly slowBodies: number;
  /** Answers to the active ones, by status. */
  readonly answers: Readonly<Record<string, number>>;
  /** How often an attacker was cut and came again. */
  readonly cuts: number;
}

const ASK = "GET / HTTP/1.1\r\nHost: siege\r\n\r\n";
const HEAD = "GET / HTTP/1.1\r\nHost: siege\r\n";
const BODY = "POST / HTTP/1.1\r\nHost: siege\r\nContent-Length: 1000000\r\n\r\n";
/** Ports of one address would not do for all of them. */
const ADDRESSES = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"];
const ACTIVE_EVERY_MS = 4_000;
const DRIP_EVERY_MS = 5_000;
/** Connections that are opened in one go, and the pause after it. */
const PACE = { count: 100, pauseMs: 25 };

const port = Number(new URL(process.argv[2] ?? "").port);
const groups = {
  idle: new Set<Socket>(),
  active: new Set<Socket>(),
  slowHeads: new Set<Socket>(),
  slowBodies: new Set<Socket>(),
};
type Group = keyof typeof groups;
const answers = new Map<string, number>();
let cuts = 0;
let opened = 0;
let attacking = false;

function open(group: Group): Socket {
  opened += 1;
  const localAddress = ADDRESSES[opened % ADDRESSES.length];
  const socket = connect({
    port,
    host: "127.0.0.1",
    ...(localAddress === undefined ? {} : { localAddress }),
  });
  groups[group].add(socket);
  socket.on("error", () => {});
  socket.on("close", () => groups[group].delete(socket));
  return socket;
}

function openIdle(): void {
  const socket = open("idle");
  socket.write(ASK);
  socket.resume();
}

function openActive(): void {
  const socket = open("active");
  socket.on("data", (chunk) => {
    const status = /^HTTP\/1\.1 (\d+)/.exec(chunk.toString("latin1"))?.[1];
    if (status !== undefined) answers.set(status, (answers.get(status) ?? 0) + 1);
  });
  const first = setTimeout(
    () => {
      socket.write(ASK);
      const asking = setInterval(() => socket.write(ASK), ACTIVE_EVERY_MS);
      socket.on("close", () => clearInterval(asking));
    },
    (opened % 100) * (ACTIVE_EVERY_MS / 100),
  );
  socket.on("close", () => clearTimeout(first));
}

/** Comes again when it is cut, as long as the attack lasts. */
function attack(group: "slowHeads" | "slowBodies"): void {
  const socket = open(group);
  socket.resume();
  socket.write(group === "slowHeads" ? HEAD : BODY);
  const dripping = setInterval(() => socket.write(group === "slowHeads" ? "X-a: b\r\n" : "."), DRIP_EVERY_MS);
  socket.on("close", () => {
    clearInterval(dripping);
    if (!attacking) return;
    cuts += 1;
    setTimeout(() => attacking && attack(group), 500);
  });
}

/** So many at a time that the accept queue holds them. */
async function openMany(count: number, one: () => void): Promise<void> {
  for (let done = 0; done < count; done += 1) {
    one();
    if (done % PACE.count === PACE.count - 1) await sleep(PACE.pauseMs);
  }
  const all = [...groups.idle, ...groups.active, ...groups.slowHeads, ...groups.slowBodies];
  await Promise.all(
    all.filter(({ connecting }) => connecting).map((socket) => once(socket, "connect").catch(() => null)),
  );
}

function closeAll(which: readonly Group[]): void {
  for (const group of which) for (const socket of groups[group]) socket.destroy();
}

async function act({ act: what, count = 0 }: Order): Promise<CrowdCount> {
  if (what === "idle") await openMany(count, openIdle);
  if (what === "active") await openMany(count, openActive);
  if (what === "attack") {
    attacking = true;
    await openMany(count, () => {
      attack("slowHeads");
      attack("slowBodies");
    });
  }
  if (what === "retreat") {
    attacking = false;
    closeAll(["slowHeads", "slowBodies"]);
  }
  if (what === "leave") closeAll(["idle", "active"]);
  return {
    idle: groups.idle.size,
    active: groups.active.size,
    slowHeads: groups.slowHeads.size,
    slowBodies: groups.slowBodies.size,
    answers: Object.fromEntries(answers),
    cuts,
  };
}

takeOrders(null, act);
