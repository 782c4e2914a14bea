import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configSchema } from "../../src/config/schema.ts";
import { networkOf } from "../../src/proxy/connection-limits.ts";
import { descriptorLimit, shareDescriptors } from "../../src/proxy/descriptors.ts";

function withEndpoints(count: number, connectionsPerEndpoint = 256) {
  const endpoints = Array.from({ length: count }, (_, index) => `http://10.0.0.${index + 1}:80`);
  return configSchema.parse({
    regions: { main: { role: "writer", endpoints } },
    proxy: { connectionsPerEndpoint },
  });
}

describe("the descriptors of a process", () => {
  test("are for clients but for what the regions may need, when there are many", () => {
    assert.deepEqual(shareDescriptors(20_000, withEndpoints(4)), {
      clients: 20_000 - 48 - 64 - 4 * 257,
      farewells: 64,
    });
  });

  test("are halved between clients and regions when there are few", () => {
    assert.deepEqual(shareDescriptors(256, withEndpoints(4)), { clients: 96, farewells: 16 });
    assert.equal(shareDescriptors(20, withEndpoints(1)).clients, 1);
  });

  test("bound nothing where the system does not say how many there are", () => {
    assert.equal(
      shareDescriptors(Number.POSITIVE_INFINITY, withEndpoints(1)).clients,
      Number.POSITIVE_INFINITY,
    );
  });

  test("are as many as the system says", () => {
    assert.ok(descriptorLimit() > 0);
  });
});

for (const [address, network] of [
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
  ["2001:db8::9", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
] as const) {
  test(`${address} counts as ${network}`, () => assert.equal(networkOf(address), network));
}
