/** One server-sent event. */
export interface Message {
  readonly event: string;
  readonly data: string;
}

/**
 * Takes a stream's text in whatever pieces it comes, and gives the events that are complete. EventSource would do it, but
 * cannot send a token.
 */
export class MessageReader {
  #rest = "";

  read(piece: string): readonly Message[] {
    const blocks = (this.#rest + piece).replaceAll("\r\n", "\n").split("\n\n");
    this.#rest = blocks.pop() ?? "";
    return blocks.map(messageIn).filter((message) => message !== null);
  }
}

function messageIn(block: string): Message | null {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const [, field, value = ""] = /^(\w+):? ?(.*)$/.exec(line) ?? [];
    if (field === "event") event = value;
    if (field === "data") data.push(value);
  }
  return data.length === 0 ? null : { event, data: data.join("\n") };
}
