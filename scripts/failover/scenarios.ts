import { EMERGENCIES } from "./emergencies.ts";
import { KINDS } from "./kinds.ts";
import { SWITCHOVERS } from "./switchovers.ts";

export const SCENARIOS = [...SWITCHOVERS, ...EMERGENCIES, ...KINDS];
