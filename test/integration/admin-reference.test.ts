import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { adminReference, REFERENCE } from "../../scripts/generate-admin-reference.ts";

test("docs/admin-reference.md says what an edge says of its calls; npm run docs:admin writes it", async () => {
  assert.equal(await readFile(REFERENCE, "utf8"), `${await adminReference()}\n`);
});
