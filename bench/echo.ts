import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { CLIENT_FRAME_BYTES, SERVER_FRAME } from "./websocket-frames.ts";

/** The WebSocket side of a region: one message for each message, without looking into either. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const server = createServer((_request, response) => void response.writeHead(426).end());
server.on("upgrade", (request, socket) => {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${GUID}`).digest("base64");
  const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  socket.write(`${head.join("\r\n")}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  let received = 0;
  socket.on("data", (chunk) => {
    received += chunk.length;
    for (; received >= CLIENT_FRAME_BYTES; received -= CLIENT_FRAME_BYTES) socket.write(SERVER_FRAME);
  });
  socket.on("error", () => socket.destroy());
});
server.listen(Number(process.argv[2]), "127.0.0.1");
