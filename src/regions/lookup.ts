import dns from "node:dns";
import type { LookupFunction } from "node:net";

/** How long a resolver may take over a name that it has resolved before. */
const PATIENCE_MS = 500;

type Answer = Parameters<Parameters<LookupFunction>[2]>;

/**
 * A look-up that remembers. Every new connection asks the resolver, so a changed address is followed;
 * but when the resolver fails or dawdles the last good answer serves, because a region does not become
 * unreachable with its name server.
 */
export function rememberingLookup(resolve: LookupFunction): LookupFunction {
  const known = new Map<string, Answer>();
  return (hostname, options, callback) => {
    const key = `${hostname} ${options.family ?? ""} ${options.all ?? ""}`;
    const remembered = known.get(key);
    let answered = false;
    const answer = (found: Answer): void => {
      if (answered) return;
      answered = true;
      clearTimeout(patience);
      callback(...found);
    };
    const patience = remembered && setTimeout(() => answer(remembered), PATIENCE_MS);
    resolve(hostname, options, (...found) => {
      const [error] = found;
      if (error === null) known.set(key, found);
      answer(error === null ? found : (remembered ?? found));
    });
  };
}

/** The memory of this process: the names of all endpoints. */
export const lookup: LookupFunction = rememberingLookup((...asked) => dns.lookup(...asked));
