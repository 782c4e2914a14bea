import assert from "node:assert/strict";
import { test } from "node:test";
import { faultOf } from "../../src/proxy/faults.ts";

for (const [code, sent, fault] of [
  ["ECONNREFUSED", false, "connect_failed"],
  ["ECONNRESET", false, "connect_failed"],
  ["EPROTO", false, "connect_failed"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", false, "connect_failed"],
  ["CERT_HAS_EXPIRED", false, "connect_failed"],
  ["EMFILE", false, "no_connection"],
  ["ECONNRESET", true, "reset"],
  ["UND_ERR_SOCKET", true, "reset"],
  ["HPE_INVALID_CONSTANT", true, "bad_response"],
  ["UND_ERR_HEADERS_TIMEOUT", true, "response_timeout"],
] as const) {
  test(`${code} is ${fault} when something was ${sent ? "" : "not "}sent`, () => {
    assert.equal(faultOf(Object.assign(new Error("told"), { code }), { sent }), fault);
  });
}

for (const [message, fault] of [
  ["aborted", "client_gone"],
  ["bad response", "bad_response"],
  ["bad upgrade", "bad_response"],
  ["other side closed", "reset"],
] as const) {
  test(`an error that only says "${message}" is ${fault}`, () => {
    assert.equal(faultOf(new Error(message), { sent: true }), fault);
  });
}
