import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readProxyHeader } from "../../src/proxy/proxy-header.ts";
import { proxyV2, SIGNATURE } from "../support/proxy-header.ts";

type Row = readonly [name: string, header: Buffer, client: string | null];

const v1 = (line: string): Buffer => Buffer.from(`${line}\r\n`, "latin1");
const ALL_ONES = Array(8).fill("ffff").join(":");
const IPV6 = Buffer.from("20010db8000000000000000000000001", "hex");

const sound: readonly Row[] = [
  ["TCP4", v1("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443"), "192.0.2.7"],
  ["TCP6", v1("PROXY TCP6 2001:db8::1 2001:db8::2 56324 443"), "2001:db8::1"],
  ["the longest line there is", v1(`PROXY TCP6 ${ALL_ONES} ${ALL_ONES} 65535 65535`), ALL_ONES],
  ["ports of 0", v1("PROXY TCP4 192.0.2.7 198.51.100.1 0 0"), "192.0.2.7"],
  ["UNKNOWN", v1("PROXY UNKNOWN"), null],
  ["UNKNOWN with whatever", v1("PROXY UNKNOWN ffff::1 not read 1 2 3"), null],
  ["v2 over IPv4", proxyV2({ source: "192.0.2.7" }), "192.0.2.7"],
  [
    "v2 over IPv6",
    proxyV2({ family: 0x21, addresses: Buffer.concat([IPV6, IPV6, Buffer.alloc(4)]) }),
    "2001:db8::1",
  ],
  ["v2 with TLVs", proxyV2({ source: "192.0.2.7", tlvs: Buffer.from("0400024142", "hex") }), "192.0.2.7"],
  ["v2 LOCAL", proxyV2({ command: 0, family: 0, addresses: Buffer.alloc(0) }), null],
  ["v2 LOCAL with addresses", proxyV2({ command: 0, source: "192.0.2.7" }), null],
  ["v2 of an unspecified family", proxyV2({ family: 0, addresses: Buffer.alloc(0) }), null],
  ["v2 of a Unix socket", proxyV2({ family: 0x31, addresses: Buffer.alloc(216) }), null],
  ["v2 of a datagram", proxyV2({ family: 0x12, source: "192.0.2.7" }), null],
];

const malformed: readonly (readonly [name: string, header: Buffer])[] = [
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\nhost: a\r\n\r\n")],
  ["TLS", Buffer.from("16030100f1010000ed0303", "hex")],
  ["nothing but line breaks", Buffer.from("\r\n\r\n\r\n\r\n\r\n\r\n")],
  ["proxy in lower case", v1("proxy TCP4 192.0.2.7 198.51.100.1 56324 443")],
  ["two spaces", v1("PROXY  TCP4 192.0.2.7 198.51.100.1 56324 443")],
  ["a tab", v1("PROXY TCP4\t192.0.2.7 198.51.100.1 56324 443")],
  ["a space at the end", v1("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 ")],
  ["only a line feed", Buffer.from("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\nGET / HTTP/1.1\r\n\r\n")],
  ["a family there is none", v1("PROXY TCP5 192.0.2.7 198.51.100.1 56324 443")],
  ["UDP4", v1("PROXY UDP4 192.0.2.7 198.51.100.1 56324 443")],
  ["one address", v1("PROXY TCP4 192.0.2.7 56324 443")],
  ["no ports", v1("PROXY TCP4 192.0.2.7 198.51.100.1")],
  ["a name for an address", v1("PROXY TCP4 client.example 198.51.100.1 56324 443")],
  ["IPv6 as TCP4", v1("PROXY TCP4 2001:db8::1 2001:db8::2 56324 443")],
  ["IPv4 as TCP6", v1("PROXY TCP6 192.0.2.7 198.51.100.1 56324 443")],
  ["an address out of range", v1("PROXY TCP4 192.0.2.256 198.51.100.1 56324 443")],
  ["an address with leading zeros", v1("PROXY TCP4 192.0.02.7 198.51.100.1 56324 443")],
  ["a port out of range", v1("PROXY TCP4 192.0.2.7 198.51.100.1 65536 443")],
  ["a port with leading zeros", v1("PROXY TCP4 192.0.2.7 198.51.100.1 056324 443")],
  ["a port with a sign", v1("PROXY TCP4 192.0.2.7 198.51.100.1 +1 443")],
  ["a line of 107 bytes without its end", Buffer.from(`PROXY UNKNOWN ${"a".repeat(93)}`)],
  ["another version", proxyV2({ version: 3, source: "192.0.2.7" })],
  ["version 1 in binary", proxyV2({ version: 1, source: "192.0.2.7" })],
  ["a command there is none", proxyV2({ command: 2, source: "192.0.2.7" })],
  ["IPv4 in eleven bytes", proxyV2({ addresses: Buffer.alloc(11) })],
  ["IPv6 in thirty-five bytes", proxyV2({ family: 0x21, addresses: Buffer.alloc(35) })],
  ["more than any proxy says", proxyV2({ source: "192.0.2.7", tlvs: Buffer.alloc(4_085) })],
  ["a signature with a wrong byte", Buffer.concat([SIGNATURE.subarray(0, 11), Buffer.from("\r!\x11\0\x0c")])],
];

describe("the header of the PROXY protocol", () => {
  for (const [name, header, client] of sound) {
    it(`is read: ${name}`, () => {
      const expected = { kind: "complete", length: header.length, client };
      assert.deepEqual(readProxyHeader(header), expected);
      assert.deepEqual(readProxyHeader(Buffer.concat([header, Buffer.from("GET / HTTP/1.1\r\n")])), expected);
    });

    it(`is waited for, byte by byte: ${name}`, () => {
      for (let length = 0; length < header.length; length += 1)
        assert.deepEqual(readProxyHeader(header.subarray(0, length)), { kind: "incomplete" }, `${length}`);
    });
  }

  for (const [name, header] of malformed) {
    it(`is none: ${name}`, () => {
      assert.equal(readProxyHeader(header).kind, "malformed");
    });
  }

  it("is refused as soon as it cannot be one any more", () => {
    assert.equal(readProxyHeader(Buffer.from("P")).kind, "incomplete");
    assert.equal(readProxyHeader(Buffer.from("PO")).kind, "malformed");
    assert.equal(readProxyHeader(Buffer.from("\r\n\r\n\0\r\nQ")).kind, "incomplete");
    assert.equal(readProxyHeader(Buffer.from("\r\n\r\n\0\r\nq")).kind, "malformed");
  });
});
