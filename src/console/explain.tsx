import { useState } from "preact/hooks";
import type { ExplanationAnswer } from "../admin/decision-messages.ts";
import { change } from "./api.ts";
import { Explanation } from "./decision.tsx";

type Asked = { readonly answer: ExplanationAnswer } | { readonly problem: string } | null;

/** Asks what would become of a request, without sending it. */
export function Explain() {
  const [asked, setAsked] = useState<Asked>(null);
  const ask = async (event: SubmitEvent & { readonly currentTarget: HTMLFormElement }) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const body = {
      method: form.get("method"),
      path: form.get("path"),
      headers: headersIn(String(form.get("headers"))),
    };
    const next = await change<ExplanationAnswer>("v1/explain", body)
      .then((answer): Asked => ({ answer }))
      .catch((error: Error): Asked => ({ problem: error.message }));
    setAsked(next);
  };
  return (
    <section class="panel" aria-labelledby="explain-title">
      <div class="panel-head">
        <h2 id="explain-title">Where would a request go?</h2>
      </div>
      <p class="dim note">
        Choose a decision to see why it was taken, or describe a request. Nothing is sent to a region.
      </p>
      <form class="explain" onSubmit={ask}>
        <label class="narrow">
          Method
          <select name="method">
            {["GET", "POST", "PUT", "PATCH", "DELETE"].map((method) => (
              <option key={method}>{method}</option>
            ))}
          </select>
        </label>
        <label>
          Path
          <input name="path" value="/" pattern="/.*" required spellcheck={false} />
        </label>
        <label class="whole">
          Headers, one a line
          <textarea name="headers" rows={2} spellcheck={false} placeholder="authorization: Bearer …" />
        </label>
        <button type="submit">Explain</button>
      </form>
      <div class="told" aria-live="polite">
        {asked !== null &&
          ("problem" in asked ? <p class="problem">{asked.problem}</p> : <Explanation {...asked.answer} />)}
      </div>
    </section>
  );
}

function headersIn(text: string): Record<string, string> {
  const pairs = text.split("\n").map((line) => /^\s*([^:\s]+)\s*:\s*(.*)$/.exec(line));
  return Object.fromEntries(
    pairs.flatMap((pair) => (pair === null ? [] : [[pair[1] ?? "", (pair[2] ?? "").trim()]])),
  );
}
