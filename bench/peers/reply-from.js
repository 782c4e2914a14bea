import { readFileSync } from "node:fs";
import replyFrom from "@fastify/reply-from";
import fastify from "fastify";

const { PORT, TLS, CERTIFICATE, KEY, REPLICA } = process.env;
const pair = { cert: readFileSync(CERTIFICATE), key: readFileSync(KEY) };
const undici = { connections: 256, pipelining: 1, keepAliveTimeout: 3_600_000 };
for (const [port, more] of [
  [PORT, {}],
  [TLS, { https: pair }],
]) {
  const app = fastify({ logger: false, keepAliveTimeout: 3_600_000, ...more });
  app.register(replyFrom, { base: `http://127.0.0.1:${REPLICA}`, undici });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
  app.all("/*", (_request, reply) => reply.from());
  app.listen({ port: Number(port), host: "127.0.0.1", backlog: 16_384 });
}
