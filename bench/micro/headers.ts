import { type Passage, readRegionHead, requestHeaders } from "../../src/proxy/headers.ts";
import type { InboundRequest } from "../../src/proxy/inbound.ts";
import type { Micro } from "./measure.ts";

/** What a browser sends. */
const SENT = {
  host: "shop.example",
  connection: "keep-alive",
  "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "accept-language": "en-GB,en;q=0.5",
  "accept-encoding": "gzip, deflate, br, zstd",
  referer: "https://shop.example/",
  cookie: "theme=dark; session=5f1c0a6c1f9a4f0f",
  "upgrade-insecure-requests": "1",
  "sec-fetch-dest": "document",
  "sec-fetch-mode": "navigate",
  "sec-fetch-site": "same-origin",
};

const request = { headers: SENT, rawHeaders: Object.entries(SENT).flat() } as unknown as InboundRequest;

const passage: Passage = {
  requestId: "b32bc50e-72d9-4964-84dd-07f76fac0845",
  proto: "https",
  host: "shop.example",
  port: "443",
  forwardedFor: "192.0.2.1",
  forwardedHost: "shop.example",
  via: "1.1 meridian-edge",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  trace: null,
  trusted: false,
};

const OWN = ["x-meridian-edge", "edge"];

const ANSWERED = [
  ...["Server", "nginx", "Date", "Sat, 28 Nov 2026 05:49:11 GMT", "Content-Type", "text/html; charset=utf-8"],
  ...["Content-Length", "5120", "Connection", "keep-alive", "Vary", "Accept-Encoding", "ETag", '"5f1c"'],
  ...["Cache-Control", "private, no-cache", "Set-Cookie", "session=5f1c0a6c1f9a4f0f; Path=/; HttpOnly"],
  ...["x-meridian-position", "1:4d2"],
];

export const HEADERS: readonly Micro[] = [
  {
    name: "headers: to the region, 12 of a browser's",
    budgetNs: 2_000,
    budgetBytes: 2_500,
    run: () => requestHeaders(request, passage, OWN),
  },
  {
    name: "headers: from the region, 10",
    budgetNs: 2_000,
    budgetBytes: 2_000,
    run: () => readRegionHead(ANSWERED, 200),
  },
];
