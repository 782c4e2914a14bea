import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import httpProxy from "http-proxy";

const { PORT, TLS, CERTIFICATE, KEY, REPLICA } = process.env;
const agent = new http.Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 256 });
const proxy = httpProxy.createProxyServer({ target: `http://127.0.0.1:${REPLICA}`, agent, xfwd: true });
proxy.on("error", (_error, _request, response) => {
  if (response.headersSent === false) response.writeHead?.(502);
  response.end();
});
const pair = { cert: readFileSync(CERTIFICATE), key: readFileSync(KEY) };
for (const [server, port] of [
  [http.createServer(), PORT],
  [https.createServer(pair), TLS],
]) {
  server.on("request", (request, response) => proxy.web(request, response));
  server.on("upgrade", (request, socket, head) => proxy.ws(request, socket, head));
  server.keepAliveTimeout = 3_600_000;
  server.listen({ port: Number(port), host: "127.0.0.1", backlog: 16_384 });
}
