/** Messages of 100 bytes as they stand on the wire: from a client masked, with zeros, from a server not. */
const PAYLOAD = Buffer.alloc(100, "x");
const [FINAL_BINARY, MASKED] = [0x82, 0x80];

export const CLIENT_FRAME: Buffer = Buffer.concat([
  Buffer.from([FINAL_BINARY, MASKED | PAYLOAD.length, 0, 0, 0, 0]),
  PAYLOAD,
]);
export const SERVER_FRAME: Buffer = Buffer.concat([Buffer.from([FINAL_BINARY, PAYLOAD.length]), PAYLOAD]);
export const CLIENT_FRAME_BYTES: number = CLIENT_FRAME.length;
export const SERVER_FRAME_BYTES: number = SERVER_FRAME.length;
