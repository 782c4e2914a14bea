import { z } from "zod";

// Certificates, keys and authorities; schema.ts says how to read this.

/** A file in PEM: in the configuration file its name; it is read when the configuration is loaded. */
const pemFile = z.codec(
  z.string().min(1).meta({ title: "file" }),
  z.object({
    file: z.string(),
    read: z.object({ path: z.string(), text: z.string() }).readonly().nullable(),
  }),
  { decode: (file) => ({ file, read: null }), encode: ({ file }) => file },
);

const SERVERNAME = /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

const servername = z
  .string()
  .regex(SERVERNAME, "expected a host name such as shop.example or *.shop.example")
  .toLowerCase();

const certFile = pemFile.describe("The certificate in PEM, and behind it those that lead to its authority.");
const keyFile = pemFile.describe("The private key of it in PEM, without a passphrase.");

const certificate = z.strictObject({
  servernames: z
    .array(servername)
    .min(1)
    .optional()
    .describe("Host names it is shown for; left out: those that it is made out to."),
  certFile,
  keyFile,
});

/** How a region's https endpoints are spoken to. */
export const regionTls = z
  .strictObject({
    caFile: pemFile
      .optional()
      .describe("Authorities in PEM that are believed of their certificates, instead of those of Node.js."),
    certFile: pemFile.optional().describe("A certificate in PEM by which this edge proves itself to them."),
    keyFile: pemFile.optional().describe("The private key of it in PEM, without a passphrase."),
    servername: servername
      .optional()
      .describe("Whom their certificates have to be for; the endpoint's own host when left out."),
  })
  .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
    error: "a certificate and its key go together; give certFile and keyFile, or neither",
  });

/** Where clients come in over TLS; what stands beside `host` and `port` is renewed by a reload. */
export const https = z.strictObject({
  host: z.string().min(1).max(255).default("0.0.0.0").describe("Address to listen on."),
  port: z.int().min(0).max(65_535).default(8443).describe("Port to listen on; 0 takes any free one."),
  certFile: certFile.describe(
    "The certificate in PEM, and behind it those that lead to its authority; shown for every name that no other is for.",
  ),
  keyFile,
  http2: z.boolean().default(true).describe("Whether HTTP/2 is offered beside HTTP/1.1."),
  certificates: z.array(certificate).default([]).describe("Further certificates, for other host names."),
  minVersion: z
    .enum(["TLSv1.2", "TLSv1.3"])
    .default("TLSv1.2")
    .describe("The oldest version of TLS that is spoken."),
});

export type PemFile = z.output<typeof pemFile>;
export type HttpsConfig = z.output<typeof https>;
