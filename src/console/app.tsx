import { ChangeDialog } from "./change-dialog.tsx";
import { DecisionsView } from "./decisions-view.tsx";
import { DrillsView } from "./drills-view.tsx";
import { EventsView } from "./events-view.tsx";
import { FleetView } from "./fleet-view.tsx";
import { Gate } from "./gate.tsx";
import { Header } from "./header.tsx";
import { stale, status } from "./live.ts";
import { Notice } from "./notice.tsx";
import { Overview } from "./overview.tsx";
import { route, type ViewName } from "./route.ts";
import { gate } from "./session.ts";

const SHOWN: Readonly<Record<ViewName, () => preact.JSX.Element>> = {
  overview: Overview,
  decisions: DecisionsView,
  drills: DrillsView,
  fleet: FleetView,
  events: EventsView,
};

export function App() {
  const View = SHOWN[route.value.view];
  return (
    <>
      <button type="button" class="skip" onClick={skipToMain}>
        Skip to the content
      </button>
      <Header />
      <main id="main" tabIndex={-1} class={stale.value === null ? "" : "stale"}>
        {gate.value !== null ? <Gate why={gate.value} /> : status.value === null ? <Waiting /> : <View />}
      </main>
      <Notice />
      <ChangeDialog />
    </>
  );
}

function Waiting() {
  return <p class="waiting">{stale.value === null ? "Asking the edge …" : "The edge does not answer."}</p>;
}

function skipToMain(): void {
  document.getElementById("main")?.focus();
}
