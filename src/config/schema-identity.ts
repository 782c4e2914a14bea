import { z } from "zod";
import type { VerifyingKey } from "./keys.ts";
import { cookieName, headerName } from "./values.ts";

// Who is a user; schema.ts says how to read this.

/** A file of keys: in the configuration file its name; the keys are read when the configuration is loaded. */
const keyFile = z.codec(
  z.string().min(1).meta({ title: "file" }),
  z.object({ file: z.string(), keys: z.array(z.custom<VerifyingKey>()).readonly().nullable() }),
  { decode: (file) => ({ file, keys: null }), encode: ({ file }) => file },
);

const jwt = z
  .strictObject({
    header: headerName
      .optional()
      .describe("Name of the request header that holds the token, with or without Bearer before it."),
    cookie: cookieName.optional().describe("Instead of header: name of the cookie that holds the token."),
    claim: z
      .string()
      .min(1)
      .max(256)
      .default("sub")
      .describe("The claim that says who it is: a text or a number. Of that name, else by a path with dots."),
    jwksFile: keyFile
      .optional()
      .describe("A JWKS that tokens are verified by, relative to this file; a reload reads it again."),
    keyFile: keyFile.optional().describe("Instead of jwksFile: one public key or certificate in PEM."),
  })
  .refine(({ header, cookie }) => header !== undefined || cookie !== undefined, {
    error: "does not say where the token is; name a header or a cookie, such as header: authorization",
  })
  .refine(({ header, cookie }) => header === undefined || cookie === undefined, {
    path: ["cookie"],
    error: "the token is in the header already; remove one of the two",
  })
  .refine(({ jwksFile, keyFile }) => jwksFile === undefined || keyFile === undefined, {
    path: ["keyFile"],
    error: "the keys are in jwksFile already; remove one of the two",
  });

const IDENTITY_EXPECTED = "expected { header: NAME }, { cookie: NAME } or { jwt: { header: NAME } }";

/** One way in which users are known: exactly one of its keys is there. */
export const identity = z
  .strictObject(
    {
      header: headerName.optional().describe("Name of a request header."),
      cookie: cookieName.optional().describe("Name of a cookie."),
      jwt: jwt
        .optional()
        .describe("A claim of a token, so that a user stays the same when the token is renewed."),
    },
    { error: IDENTITY_EXPECTED },
  )
  .refine((given) => Object.values(given).filter((value) => value !== undefined).length === 1, {
    error: IDENTITY_EXPECTED,
  });

export type IdentityConfig = z.output<typeof identity>;
export type JwtConfig = z.output<typeof jwt>;
