type Fields = Readonly<Record<string, unknown>>;

/** What happened, in words; an event that this version does not know is told by its fields. */
export function eventText(name: string, data: Fields): string {
  const { at, ...fields } = data;
  const told = WORDS[name]?.(fields) ?? `${name}: ${listed(fields)}`;
  return `${typeof at === "string" ? at.slice(11, 19) : "        "} ${told}`;
}

const WORDS: Readonly<Record<string, (fields: Fields) => string>> = {
  healthChanged: ({ region, from, to, cause }) => `${region}: ${from} → ${to} (${cause})`,
  admissionChanged: ({ region, from, to, by, why }) => `${region}: ${from} → ${to} by ${by} (${why})`,
  endpointEjected: ({ region, endpoint, cause }) => `${region}: ${endpoint} is out of service (${cause})`,
  epochChanged: ({ writeRegion, epoch, moving }) =>
    moving
      ? `writes are held (epoch ${epoch})`
      : `writes go to ${writeRegion ?? "every writer"} (epoch ${epoch})`,
  moveBegan: ({ from, to, why }) => `the write region moves from ${from} to ${to} (${why})`,
  moveStepped: ({ to, step, by }) => `the move to ${to} comes to ${step}, by ${by}`,
  moveEnded: ({ from, to, moved, heldMs }) =>
    moved ? `writes went from ${from} to ${to}, held ${heldMs} ms` : `the move to ${to} was given up`,
  drillBegan: ({ region, kind, who }) => `a drill of ${region} (${kind}) begins, for ${who}`,
  drillEnded: ({ region, result, why }) =>
    `the drill of ${region} has ${result === "passed" ? "passed" : `been ${result}`}: ${why}`,
  redisState: ({ up, cause }) => (up === true ? "redis answers" : `redis is away (${cause ?? "no answer"})`),
  overloadChanged: ({ cause, shedding }) =>
    shedding === true
      ? `new connections are refused (${cause})`
      : `new connections are taken again (${cause})`,
  configReloaded: ({ result }) => `the configuration was read again: ${result}`,
  audited: ({ who, what, target, result, why }) =>
    `${who}: ${what}${target === null ? "" : ` ${target}`} ${result}${why === null ? "" : ` (${why})`}`,
};

function listed(fields: Fields): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join(", ");
}
