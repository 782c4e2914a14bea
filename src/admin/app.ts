import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifySchema,
  type FastifyTypeProvider,
  fastify,
  LogController,
  type RouteOptions,
} from "fastify";
import type { z } from "zod";
import type { Caller, Role } from "./access.ts";
import { answerBroken, GUARDING_HEADERS, PATIENCE } from "./listener.ts";
import { Refusal, refusalOf } from "./problems.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Who may call; left out: nobody but operators. */
    readonly access?: Role | "anyone";
    /** The audit log's word for the change that this call makes. */
    readonly change?: string;
    /** A file of the console, no call of the API. */
    readonly page?: true;
  }
  interface FastifySchema {
    readonly summary?: string;
    /** Media type of the 200, when it is not JSON. */
    readonly produces?: string;
  }
  interface FastifyRequest {
    /** Null until access was checked, and for calls that anyone may make. */
    caller: Caller | null;
  }
}

/** Gives handlers the types that the route's zod schemas promise. */
interface Zod extends FastifyTypeProvider {
  readonly validator: this["schema"] extends z.ZodType ? z.output<this["schema"]> : unknown;
  readonly serializer: unknown;
}

export type AdminApp = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, Zod>;

/** A registered call, HEAD included; what Fastify routes by also feeds the OpenAPI document. */
export interface Route {
  readonly method: string;
  /** `/v1/regions/:id` */
  readonly url: string;
  readonly schema: FastifySchema;
  readonly access: Role | "anyone";
  /** Whether it is a file of the console. */
  readonly page: boolean;
}

const BODY_LIMIT_BYTES = 65_536;
const RETRY_AFTER_SECONDS = "1";

/**
 * Fastify with zod for checking, JSON only, problem+json for whatever goes wrong, and a list of its routes. What is
 * refused before any hook runs is told to `refused`.
 */
export function buildApp(
  log: FastifyBaseLogger,
  refused: (refusal: Refusal, request: FastifyRequest) => void,
): { readonly app: AdminApp; readonly routes: readonly Route[] } {
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "requestId" }),
    bodyLimit: BODY_LIMIT_BYTES,
    ...PATIENCE,
    forceCloseConnections: true,
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    clientErrorHandler: answerBroken,
    frameworkErrors: (error, request, reply: FastifyReply) => {
      const refusal = refusalOf(error);
      refused(refusal, request);
      refuse(refusal, request, reply);
    },
  }).withTypeProvider<Zod>();
  app.removeContentTypeParser("text/plain");
  app.setValidatorCompiler(
    ({ schema, httpPart }) =>
      (data) =>
        check(schema as z.ZodType, httpPart, data),
  );
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  return { app, routes: recordRoutes(app) };
}

/** The methods that a path, with its parameters filled in, can be called with. */
export function methodsAt(path: string, routes: readonly Route[]): readonly string[] {
  const segments = path.split("/");
  const fits = ({ url }: Route) => {
    const pattern = url.split("/");
    return (
      pattern.length === segments.length &&
      pattern.every((part, index) => part.startsWith(":") || part === segments[index])
    );
  };
  return routes.filter(fits).map(({ method }) => method);
}

/** Answers with problem+json. */
export function refuse(refusal: Refusal, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { word, statusCode, extensions } = refusal;
  reply.headers(GUARDING_HEADERS);
  if (word === "unauthenticated") reply.header("www-authenticate", 'Bearer realm="meridian"');
  if (word === "locked_out") reply.header("retry-after", String(extensions.retryAfterSeconds));
  if (statusCode === 503) reply.header("retry-after", RETRY_AFTER_SECONDS);
  // As bytes, for to text of a JSON type Fastify adds a charset, which JSON has not.
  const body = Buffer.from(JSON.stringify(refusal.body(request.id)));
  return reply.code(statusCode).type("application/problem+json").send(body);
}

function recordRoutes(app: AdminApp): readonly Route[] {
  const routes: Route[] = [];
  app.addHook("onRoute", ({ method, url, schema, config }: RouteOptions) => {
    if (typeof method !== "string") return;
    const { access = "operator", page = false } = config ?? {};
    routes.push({ method, url, schema: schema ?? {}, access, page });
  });
  return routes;
}

/** A missing body is an empty one, so that what is missing in it can be named. */
function check(
  schema: z.ZodType,
  part: string | undefined,
  data: unknown,
): { value?: unknown; error?: Error } {
  const checked = schema.safeParse(part === "body" ? (data ?? {}) : data);
  if (checked.success) return { value: checked.data };
  const problems = checked.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  const detail = problems
    .map(({ path, message }) => (path === "" ? message : `${path}: ${message}`))
    .join("; ");
  return { error: new Refusal("malformed", detail, { problems }) };
}
