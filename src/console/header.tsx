import { duration } from "./format.ts";
import { stale, status } from "./live.ts";
import { route, VIEWS } from "./route.ts";
import { gate, leave, token } from "./session.ts";
import { choose, theme } from "./theme.ts";

const NAMES = {
  overview: "Overview",
  decisions: "Decisions",
  drills: "Drills",
  fleet: "Fleet",
  events: "Events",
} as const;

export function Header() {
  return (
    <header class="top">
      <a class="brand" href="#overview">
        <Logo />
        Meridian
      </a>
      <nav aria-label="Views">
        {VIEWS.map((view) => (
          <a key={view} href={`#${view}`} aria-current={route.value.view === view ? "page" : undefined}>
            {NAMES[view]}
          </a>
        ))}
      </nav>
      <div class="who">
        {gate.value === null && <Liveness />}
        {gate.value === null && <Caller />}
        <ThemeSwitch />
      </div>
    </header>
  );
}

function Logo() {
  return (
    <svg class="logo" viewBox="0 0 24 24" aria-hidden="true">
      <circle cx="12" cy="12" r="9" />
      <ellipse cx="12" cy="12" rx="4" ry="9" />
      <path d="M3 12h18" />
    </svg>
  );
}

/** Whose word this is, and how old it is. */
function Liveness() {
  const agoMs = stale.value;
  const edge = status.value?.edge;
  return (
    <span class={agoMs === null ? "liveness" : "liveness lost"} role="status">
      <span class="pulse" aria-hidden="true" />
      {edge ?? "edge"}
      <span class="dim">{agoMs === null ? "live" : `last heard ${duration(agoMs)} ago`}</span>
    </span>
  );
}

function Caller() {
  const caller = status.value?.caller;
  if (caller === null || caller === undefined) return null;
  const what = caller.role === "operator" ? "may change things" : "may look only";
  return (
    <>
      <span class={`tag role ${caller.role}`} title={`${caller.name} ${what}`}>
        {caller.role}
      </span>
      {token.value !== null && (
        <button type="button" class="quiet" onClick={() => leave("")}>
          Forget token
        </button>
      )}
    </>
  );
}

function ThemeSwitch() {
  const next = theme.value === "dark" ? "light" : "dark";
  return (
    <button
      type="button"
      class="quiet icon"
      aria-label={`Switch to ${next}`}
      title={`Switch to ${next}`}
      onClick={() => choose(next)}
    >
      <svg viewBox="0 0 20 20" aria-hidden="true">
        <circle cx="10" cy="10" r="6.5" fill="none" stroke="currentColor" stroke-width="1.6" />
        <path d="M10 3.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" />
      </svg>
    </button>
  );
}
