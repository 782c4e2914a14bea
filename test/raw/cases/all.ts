import type { RawCase } from "../case.ts";
import { EARLY_ANSWERS, INTERIM, POISONING } from "./answer-flow.ts";
import { CHUNKS, TRAILERS } from "./chunks.ts";
import { FIELDS } from "./fields.ts";
import { EXPECT, PIPELINING, UPGRADE } from "./flow.ts";
import { BOTH, CONTENT_LENGTH, TRANSFER_ENCODING } from "./framing.ts";
import { CONNECTION, OLD, SPOOFING } from "./hops.ts";
import { METHODS } from "./methods.ts";
import { HOSTS, REQUEST_LINE, TARGET_FORMS } from "./request-line.ts";
import { RESPONSE_FIELDS, RESPONSE_FRAMING, STATUS_LINES } from "./responses.ts";

export const CASES: readonly RawCase[] = [
  ...REQUEST_LINE,
  ...TARGET_FORMS,
  ...HOSTS,
  ...FIELDS,
  ...CONTENT_LENGTH,
  ...TRANSFER_ENCODING,
  ...BOTH,
  ...CHUNKS,
  ...TRAILERS,
  ...METHODS,
  ...CONNECTION,
  ...SPOOFING,
  ...OLD,
  ...PIPELINING,
  ...EXPECT,
  ...UPGRADE,
  ...STATUS_LINES,
  ...RESPONSE_FIELDS,
  ...RESPONSE_FRAMING,
  ...POISONING,
  ...INTERIM,
  ...EARLY_ANSWERS,
];
