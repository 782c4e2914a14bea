import replyFrom from "@fastify/reply-from";
import fastify from "fastify";

const { PORT, REPLICA } = process.env;
const app = fastify({ logger: false, keepAliveTimeout: 3_600_000 });
const undici = { connections: 256, pipelining: 1, keepAliveTimeout: 3_600_000 };
app.register(replyFrom, { base: `http://127.0.0.1:${REPLICA}`, undici });
app.removeAllContentTypeParsers();
app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
app.all("/*", (_request, reply) => reply.from());
app.listen({ port: Number(PORT), host: "127.0.0.1", backlog: 16_384 });
