/** What the API says in one word, as an operator who has never seen it reads it. A word that is not here stands for itself. */
type Words = Readonly<Record<string, string>>;

/** Why a region was chosen, after `because`. */
const REASONS: Words = {
  write: "it is a write, and this is the write region",
  pin: "its user has just written, and must see it",
  "pin-unknown": "whether its user has just written is not known, so it goes where it is safe",
  affinity: "the session lives there",
  latency: "it is the nearest that may serve it",
  priority: "it is the first in the order of the file",
  weight: "its weight drew it",
  residency: "residency keeps this user there",
  failover: "the region that was preferred is down",
  retry: "another region had failed it",
  static: "any region has it, and this is the nearest",
  "last-resort": "every region is down, and this is the best guess",
};

/** The same, as a label. */
const REASON_LABELS: Words = {
  write: "write",
  pin: "read after write",
  "pin-unknown": "pin unknown",
  affinity: "session",
  latency: "nearest",
  priority: "priority",
  weight: "weight",
  residency: "residency",
  failover: "failover",
  retry: "retry",
  static: "static",
  "last-resort": "last resort",
};

/** Why a region was passed over, after its name. */
const OBSTACLES: Words = {
  residency: "may not serve this user: residency",
  closed: "is closed",
  tried: "had failed this request before",
  "not-writer": "does not take writes",
  disowned: "says that it is not the writer",
  fenced: "takes writes of an epoch that is over",
  unknown: "has not been probed yet",
  down: "is down",
  draining: "is draining, and the session does not live there",
  lagging: "lags too far behind",
  behind: "may not have what this user has written",
  warming: "is warming up, and this request was not in its share",
  "less-preferred": "would do; the chosen one is preferred",
};

const FAULTS: Words = {
  writer_down: "the write region is down",
  writer_moving: "the write region is moving",
  residency: "no region that residency allows can serve it",
  no_region: "no region can serve it",
  no_fresh_region: "no region is known to be fresh enough for this reader",
};

const PINS: Words = {
  free: "has not written lately",
  pinned: "has just written",
  unknown: "not known; treated as if he had just written",
  waived: "not known, and let go by policy",
  unasked: "was not looked up: it would change nothing",
};

const STEPS: Words = {
  hold: "every edge holds its writes",
  "catch-up": "the new region catches up",
  hook: "the database is promoted",
  verify: "the new region says that it takes writes",
};

const RESULTS: Words = {
  passed: "Passed",
  aborted: "Aborted",
  stopped: "Stopped",
  lost: "Lost",
};

const DRILL_KINDS: Words = { "black-hole": "black hole", drain: "drain" };

/** The steps of a move of the write region, in their order. */
export const MOVE_STEPS = ["hold", "catch-up", "hook", "verify"] as const;

const said = (words: Words) => (word: string) => words[word] ?? word.replaceAll("_", " ");

export const reasonText = said(REASONS);
export const reasonLabel = said(REASON_LABELS);
export const obstacleText = said(OBSTACLES);
export const faultText = said(FAULTS);
export const pinText = said(PINS);
export const stepText = said(STEPS);
export const resultText = said(RESULTS);
export const drillKindText = said(DRILL_KINDS);
