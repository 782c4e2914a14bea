import { useRef } from "preact/hooks";
import type { RegionAnswer } from "../admin/region-messages.ts";
import { status } from "./live.ts";
import { type Wish, wish } from "./wish.ts";

interface Choice {
  readonly kind: Wish["kind"];
  readonly text: string;
  readonly hint: string;
}

/** What an operator may do about a region. */
export function RegionMenu({ region }: { readonly region: RegionAnswer }) {
  const menu = useRef<HTMLDivElement>(null);
  const trigger = useRef<HTMLButtonElement>(null);
  const id = `menu-${region.id}`;
  const choose = (kind: Wish["kind"]) => {
    menu.current?.hidePopover();
    if (trigger.current !== null) wish({ kind, region: region.id }, trigger.current);
  };
  return (
    <>
      <button
        ref={trigger}
        type="button"
        class="menu-button"
        popovertarget={id}
        aria-haspopup="true"
        aria-label={`Actions for ${region.id}`}
      >
        Actions
      </button>
      <div
        id={id}
        ref={menu}
        popover="auto"
        class="menu"
        onToggle={() => place(menu.current, trigger.current)}
      >
        {choicesFor(region).map(({ kind, text, hint }) => (
          <button key={kind} type="button" onClick={() => choose(kind)}>
            {text} <small>{hint}</small>
          </button>
        ))}
      </div>
    </>
  );
}

function choicesFor({ id, admission }: RegionAnswer): readonly Choice[] {
  const choices: Choice[] = [];
  if (admission !== "open") choices.push({ kind: "undrain", text: "Undrain …", hint: "open again" });
  if (admission === "open")
    choices.push({ kind: "drain", text: "Drain …", hint: "no new sessions; those there may stay a while" });
  if (admission !== "closed")
    choices.push({ kind: "close", text: "Close …", hint: "nothing goes there; sessions move now" });
  if (status.value?.writeRegion !== null && status.value?.writeRegion !== id)
    choices.push({ kind: "promote", text: "Promote …", hint: "make it the write region" });
  choices.push({ kind: "drill", text: "Drill …", hint: "rehearse its loss" });
  return choices;
}

/** Below its button, above it where there is no room; a popover is in the top layer, where CSS alone cannot put it. */
function place(menu: HTMLElement | null, trigger: HTMLElement | null): void {
  if (menu === null || trigger === null || !menu.matches(":popover-open")) return;
  const at = trigger.getBoundingClientRect();
  const below = at.bottom + menu.offsetHeight + 8 < window.innerHeight;
  menu.style.top = `${below ? at.bottom + 4 : at.top - menu.offsetHeight - 4}px`;
  menu.style.left = `${Math.max(8, at.right - menu.offsetWidth)}px`;
  menu.querySelector("button")?.focus();
}
