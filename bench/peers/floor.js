import http from "node:http";
// The edge's own, not that of the other subjects here.
import { Client } from "../../node_modules/undici/index.js";

/*
 * No proxy that one would use: node:http and undici, and what it takes to pass an answer on. It drops no header, counts nothing, and
 * dies of an error. What a request costs here no proxy of these two can do without.
 */

const { PORT, REPLICA } = process.env;
const free = [];
const open = () => new Client(`http://127.0.0.1:${REPLICA}`, { pipelining: 1, keepAliveTimeout: 3_600_000 });

const server = http.createServer((request, response) => {
  const client = free.pop() ?? open();
  client.dispatch(
    { path: request.url, method: request.method, headers: request.rawHeaders, body: null },
    {
      onRequestStart() {},
      onResponseStart(controller, status) {
        const headers = controller.rawHeaders.map((text) => text.toString("latin1"));
        response.writeHead(status, headers);
      },
      onResponseData(_controller, chunk) {
        response.write(chunk);
      },
      onResponseEnd() {
        response.end();
        free.push(client);
      },
      onResponseError(_controller, error) {
        throw error;
      },
    },
  );
});
server.keepAliveTimeout = 3_600_000;
server.listen({ port: Number(PORT), host: "127.0.0.1", backlog: 16_384 });
