import type { Config } from "./schema.ts";

/** Keys that are read once, at start: sockets, connections and names that others know this edge by. */
export const AT_START =
  /^((workers|listen\.http|admin|redis|edge\.id|proxy\.maxHeaderBytes)(\.|$)|listen\.https($|\.(host|port)$))/;

/**
 * What a reload puts in force where requests are carried: `config`, but with these keys as they were at the start (not `admin`, which
 * is not listened to there). The processes that run have it so; one that replaces another must not come to listen elsewhere
 * than they do, or to keep its pins in another Redis or in none.
 */
export function asStarted(config: Config, started: Config): Config {
  const { edge, listen, proxy } = config;
  const { redis: _, ...rest } = config;
  return {
    ...rest,
    ...(started.redis === undefined ? {} : { redis: started.redis }),
    workers: started.workers,
    edge: { ...edge, id: started.edge.id },
    listen: listenerOf(listen, started.listen),
    proxy: { ...proxy, maxHeaderBytes: started.proxy.maxHeaderBytes },
  };
}

/** The certificates may be others. */
function listenerOf({ https, ...listen }: Config["listen"], started: Config["listen"]): Config["listen"] {
  const { http, https: secure } = started;
  if (secure === undefined) return { ...listen, http };
  const { host, port } = secure;
  return { ...listen, http, https: { ...(https ?? secure), host, port } };
}
