/** By which version 2 of the PROXY protocol begins. */
export const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

export interface ProxyV2 {
  readonly version?: number;
  /** 0 is LOCAL, 1 PROXY. */
  readonly command?: number;
  /** Family and transport; 0x11 is TCP over IPv4. */
  readonly family?: number;
  /** An IPv4 address, of whom two ports and a destination are made up. */
  readonly source?: string;
  /** Instead of that. */
  readonly addresses?: Buffer;
  readonly tlvs?: Buffer;
}

export function proxyV2({
  version = 2,
  command = 1,
  family = 0x11,
  source = "0.0.0.0",
  addresses = ipv4(source),
  tlvs = Buffer.alloc(0),
}: ProxyV2): Buffer {
  const head = Buffer.from([version * 16 + command, family, 0, 0]);
  head.writeUInt16BE(addresses.length + tlvs.length, 2);
  return Buffer.concat([SIGNATURE, head, addresses, tlvs]);
}

function ipv4(source: string): Buffer {
  return Buffer.from([...source.split(".").map(Number), 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb]);
}
