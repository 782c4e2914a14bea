import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LookUps } from "../../src/consistency/look-ups.ts";
import type { Pid } from "../../src/consistency/store.ts";

type Answers = readonly (number | Error)[];

/** Look-ups over a store that answers so, and the questions that it is asked. */
function lookUps(answer: (pids: readonly Pid[]) => Promise<Answers>) {
  const asked: (readonly Pid[])[] = [];
  const over = new LookUps((pids) => {
    asked.push(pids);
    return answer(pids);
  });
  return { over, asked };
}

const lengths = async (pids: readonly Pid[]): Promise<Answers> => pids.map((pid) => pid.length);

describe("look-ups", () => {
  it("of one turn are one question, of the next turn another", async () => {
    const { over, asked } = lookUps(lengths);
    assert.deepEqual(await Promise.all([over.remaining(["a", "ccc"]), over.remaining(["bb"])]), [3, 2]);
    assert.equal(await over.remaining(["dddd"]), 4);
    assert.deepEqual(asked, [["a", "ccc", "bb"], ["dddd"]]);
  });

  it("are several questions when they are very many", async () => {
    const { over, asked } = lookUps(lengths);
    const pids = Array.from({ length: 1_201 }, (_, i) => "x".repeat(i % 7));
    const left = await Promise.all(pids.map((pid) => over.remaining([pid])));
    assert.deepEqual(
      left,
      pids.map(({ length }) => length),
    );
    assert.deepEqual(
      asked.map(({ length }) => length),
      [500, 500, 201],
    );
  });

  it("fail for whom it concerns, unless another name of the user is pinned", async () => {
    const away = new Error("away");
    const { over } = lookUps(async () => [away, 700, away, 0, 0]);
    const answers = await Promise.allSettled(
      [["a", "b"], ["c", "d"], ["e"]].map((pids) => over.remaining(pids)),
    );
    assert.deepEqual(answers, [
      { status: "fulfilled", value: 700 },
      { status: "rejected", reason: away },
      { status: "fulfilled", value: 0 },
    ]);
  });

  it("fail when the question fails, or is not answered whole", async () => {
    const away = new Error("away");
    await assert.rejects(lookUps(() => Promise.reject(away)).over.remaining(["a"]), away);
    await assert.rejects(lookUps(async () => []).over.remaining(["a"]), TypeError);
  });
});
