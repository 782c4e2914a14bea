import type { Finding, Path } from "./problems.ts";
import { type ConfigRule, isWildcard, repeats } from "./rule.ts";
import type { Config } from "./schema.ts";

/** What makes no sense together where clients, and operators, come in. */
export const listenContradictions: readonly ConfigRule[] = [
  { about: ["listen", "admin"], find: samePort },
  { about: ["listen"], find: servernameTwice },
  { about: ["listen"], find: nobodyProxies },
];

function finding(path: Path, message: string, hint: string): Finding {
  return { path, message, hint };
}

/** Each in the words of the file, with the listeners before it. */
function samePort({ listen, admin }: Config): readonly Finding[] {
  const { http, https } = listen;
  const all = [
    { name: "listen.http", ...http },
    ...(https ? [{ name: "listen.https", host: https.host, port: https.port }] : []),
    { name: "admin", host: admin.host, port: admin.port },
  ];
  return all.flatMap(({ name, host, port }, index) => {
    const taken = all.slice(0, index).find((other) => other.port === port && meet(other.host, host));
    if (taken === undefined || port === 0) return [];
    const path = [...name.split("."), "port"];
    return [finding(path, `${port} is also the port of ${taken.name}`, "choose another port")];
  });
}

function meet(host: string, other: string): boolean {
  return host === other || isWildcard(host) || isWildcard(other);
}

/** A name of which nobody could tell which certificate it gets. */
function servernameTwice({ listen }: Config): readonly Finding[] {
  const all = (listen.https?.certificates ?? []).flatMap(({ servernames = [] }, certificate) =>
    servernames.map((name, index) => ({ name, certificate, index })),
  );
  return repeats(all.map(({ name }) => name)).map(({ index: at, first }) => {
    const { certificate, index } = all[at] ?? { certificate: 0, index: 0 };
    const message = `certificates[${all[first]?.certificate}] is for this name already`;
    const path = ["listen", "https", "certificates", certificate, "servernames", index];
    return finding(path, message, "name it once");
  });
}

/** Headers of strangers are not read, so nobody's would be. */
function nobodyProxies({ listen }: Config): readonly Finding[] {
  if (!listen.proxyProtocol || listen.trustedProxies.length > 0) return [];
  const hint = "name your load balancers in listen.trustedProxies";
  return [finding(["listen", "proxyProtocol"], "no proxy is trusted to write PROXY headers", hint)];
}
