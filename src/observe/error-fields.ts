/** What the log says of an error. */
export interface ErrorFields {
  readonly type: string;
  readonly message: string;
  readonly stack: string;
  readonly code?: string;
  readonly cause?: ErrorFields;
  readonly errors?: readonly ErrorFields[];
}

const MOST_CAUSES = 5;
const MOST_ERRORS = 10;

/**
 * Only what an error is: libraries hang on theirs what they were given, such as a command with its arguments or a URL
 * with its password.
 */
export function errorFields(error: unknown, depth = 0): ErrorFields {
  if (!(error instanceof Error)) return { type: typeof error, message: scrubbed(String(error)), stack: "" };
  const { name, message, stack = "", cause } = error;
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const inner = depth < MOST_CAUSES;
  return {
    type: name,
    message: scrubbed(message),
    stack: scrubbed(stack),
    ...code,
    ...(inner && cause !== undefined && { cause: errorFields(cause, depth + 1) }),
    ...(inner && error instanceof AggregateError && { errors: innerErrors(error, depth) }),
  };
}

function innerErrors(error: AggregateError, depth: number): readonly ErrorFields[] {
  return error.errors.slice(0, MOST_ERRORS).map((each) => errorFields(each, depth + 1));
}

/** Without the user, the password and the query of the URLs in a text. */
export function scrubbed(text: string): string {
  return text.replaceAll(/([a-z][a-z\d+.-]*:\/\/)([^\s"'<>]*)/gi, (_, scheme: string, rest: string) => {
    const [address = "", query] = rest.split(/[?#](.*)/s);
    const [path = "", ...before] = address.split("@").reverse();
    return `${scheme}${before.length > 0 ? "[redacted]@" : ""}${path}${query === undefined ? "" : "?[redacted]"}`;
  });
}
