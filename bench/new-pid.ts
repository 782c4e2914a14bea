import { randomBytes } from "node:crypto";

/** As long as one made of a hash. */
export function newPid(): string {
  return randomBytes(17).toString("base64url").slice(0, 22);
}
