import { useEffect, useRef } from "preact/hooks";
import { enter } from "./session.ts";

/** Asks for a token, which stays in this tab. */
export function Gate({ why }: { readonly why: string }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const given = input.current?.value.trim() ?? "";
    if (given !== "") enter(given);
  };
  return (
    <form class="gate panel" onSubmit={submit}>
      <h1>This edge asks for a token</h1>
      <p>
        A <b>viewer</b> token lets you look, an <b>operator</b> token change things, too. It is kept in this
        tab only, and forgotten when you close it.
      </p>
      <label for="token">Token</label>
      <input
        id="token"
        ref={input}
        type="password"
        autocomplete="off"
        spellcheck={false}
        required
        aria-describedby="token-problem"
      />
      <p id="token-problem" class="problem" role="alert">
        {why}
      </p>
      <button type="submit" class="primary">
        Enter
      </button>
    </form>
  );
}
