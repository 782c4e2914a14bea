import type { StatusAnswer } from "../admin/messages.ts";
import type { RegionAnswer } from "../admin/region-messages.ts";
import { type AdminAddress, call } from "./client.ts";

/** An edge, and every region as it sees them. */
export interface Seen {
  readonly status: StatusAnswer;
  readonly regions: readonly RegionAnswer[];
}

export async function statusOf(address: AdminAddress): Promise<Seen> {
  const [status, listed] = await Promise.all([
    call(address, "GET", "/v1/status") as Promise<StatusAnswer>,
    call(address, "GET", "/v1/regions") as Promise<{ regions: RegionAnswer[] }>,
  ]);
  return { status, regions: listed.regions };
}
