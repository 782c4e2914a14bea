import { useEffect, useRef, useState } from "preact/hooks";
import type { RegionAnswer } from "../admin/region-messages.ts";
import { conditionOf } from "./condition.ts";
import { listed, milliseconds, percent } from "./format.ts";
import type { Weight } from "./happenings.ts";
import { placeLabels } from "./labels.ts";
import { edges, limits, regions, status, totalRate } from "./live.ts";
import { Mark, SHAPES } from "./marks.tsx";
import { MAP, type Place, type Point, project } from "./projection.ts";
import { openRow } from "./region-table.tsx";

/** The world's land, put in by the bundler. */
declare const COASTLINE: string;

interface Spot {
  readonly region: RegionAnswer;
  readonly at: Point;
  readonly share: number;
  readonly weight: Weight;
  readonly word: string;
}

/** Below this width only the write region and those in trouble are named. */
const ROOMY_PX = 620;

/** The regions where they are, and how much of the traffic goes to each. */
export function WorldMap() {
  const frame = useRef<HTMLDivElement>(null);
  const widthPx = useWidth(frame);
  const spots = regions.value.flatMap(spotOf);
  const nowhere = regions.value.filter(({ location }) => location === null).map(({ id }) => id);
  return (
    <section class="panel map" aria-labelledby="map-title">
      <div class="panel-head">
        <h2 id="map-title">Regions</h2>
        <Legend />
      </div>
      <div class="world" ref={frame} style={{ aspectRatio: `${MAP.width} / ${MAP.height}` }}>
        <svg viewBox={`0 0 ${MAP.width} ${MAP.height}`} aria-hidden="true">
          <path class="land" d={COASTLINE} />
          <Flows spots={spots} />
          <EdgeMarks />
          {spots.map((spot) => (
            <Dot key={spot.region.id} spot={spot} unit={MAP.width / Math.max(widthPx, 1)} />
          ))}
        </svg>
        <Labels spots={spots} widthPx={widthPx} />
      </div>
      {nowhere.length > 0 && (
        <p class="dim note">
          Not on the map: {listed(nowhere)}. <code>regions.NAME.location</code> in the file says where a
          region is.
        </p>
      )}
    </section>
  );
}

function useWidth(frame: { readonly current: HTMLElement | null }): number {
  const [widthPx, setWidthPx] = useState(0);
  useEffect(() => {
    if (frame.current === null) return;
    const observer = new ResizeObserver(([entry]) => setWidthPx(entry?.contentRect.width ?? 0));
    observer.observe(frame.current);
    return () => observer.disconnect();
  }, [frame]);
  return widthPx;
}

function spotOf(region: RegionAnswer): readonly Spot[] {
  if (region.location === null) return [];
  const { weight, word } = conditionOf(region, limits.value);
  const share = totalRate.value === 0 ? 0 : region.requestsPerSecond / totalRate.value;
  return [{ region, at: project(region.location as Place), share, weight, word }];
}

/** From this edge to each region, as wide as its share; and from the old write region to the new while it moves. */
function Flows({ spots }: { readonly spots: readonly Spot[] }) {
  const here = edges.value?.edges.find(({ self }) => self)?.location ?? null;
  const move = status.value?.move;
  const placeOf = (id: string | undefined) => spots.find(({ region }) => region.id === id)?.at;
  const [from, to] = [placeOf(move?.from), placeOf(move?.to)];
  return (
    <g fill="none">
      {here !== null &&
        spots
          .filter(({ share }) => share > 0)
          .map(({ region, at, share }) => (
            <path
              key={region.id}
              class="flow"
              d={arc(project(here as Place), at)}
              style={{ strokeWidth: 1 + 5 * share }}
            />
          ))}
      {from !== undefined && to !== undefined && <path class="moving" d={arc(from, to)} />}
    </g>
  );
}

function arc(from: Point, to: Point): string {
  const bend = Math.hypot(to.x - from.x, to.y - from.y) * 0.18;
  return `M${from.x} ${from.y}Q${(from.x + to.x) / 2} ${Math.min(from.y, to.y) - bend} ${to.x} ${to.y}`;
}

function placedEdges() {
  return (edges.value?.edges ?? []).flatMap(({ location, ...edge }) =>
    location === null ? [] : [{ ...edge, at: project(location) }],
  );
}

function EdgeMarks() {
  return (
    <>
      {placedEdges().map(({ id, at: { x, y }, live, self }) => {
        const kind = live ? (self ? "edge self" : "edge") : "edge silent";
        return <path key={id} class={kind} d={`M${x} ${y - 12}l12 12-12 12-12-12z`} />;
      })}
    </>
  );
}

/** A region's dot is the same size on every screen; the halo grows with its share. */
function Dot({ spot: { region, at, share, weight }, unit }: { readonly spot: Spot; readonly unit: number }) {
  const isWriter = region.id === status.value?.writeRegion;
  return (
    <g class={`dot ${weight}`} transform={`translate(${at.x} ${at.y}) scale(${unit})`}>
      <circle class="halo" r={7 + 16 * Math.sqrt(share)} />
      {isWriter && <circle class="ring" r="9.5" />}
      <g class={`mark ${weight}`} transform="translate(-8 -8)">
        {SHAPES[weight]}
      </g>
    </g>
  );
}

function Labels({ spots, widthPx }: { readonly spots: readonly Spot[]; readonly widthPx: number }) {
  if (widthPx === 0) return null;
  const roomy = widthPx >= ROOMY_PX;
  const scale = widthPx / MAP.width;
  const isWriter = ({ region }: Spot) => region.id === status.value?.writeRegion;
  const named = roomy ? spots : spots.filter((spot) => isWriter(spot) || spot.weight !== "ok");
  const markers = named
    .toSorted((a, b) => Number(isWriter(b)) - Number(isWriter(a)))
    .map((spot) => ({
      id: spot.region.id,
      x: spot.at.x * scale,
      y: spot.at.y * scale,
      width: widthOf(spot, roomy, isWriter(spot)),
      height: roomy ? 40 : 22,
    }));
  const dots = [...spots, ...placedEdges()].map(({ at: { x, y } }) => ({ x: x * scale, y: y * scale }));
  const boxes = placeLabels(markers, { width: widthPx, height: MAP.height * scale }, dots);
  return (
    <>
      {named.map((spot) => {
        const { x = 0, y = 0, width, height } = boxes.get(spot.region.id) ?? {};
        return (
          <button
            key={spot.region.id}
            type="button"
            class={`place ${spot.weight}`}
            style={{ left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` }}
            onClick={() => openRow(spot.region.id)}
          >
            <b>{spot.region.id}</b> {isWriter(spot) && <span class="tag writer">writes</span>}{" "}
            {roomy && <span class="said">{said(spot)}</span>}
            <span class="unseen"> Show in the table</span>
          </button>
        );
      })}
    </>
  );
}

function said({ region, share, word, weight }: Spot): string {
  const traffic = share > 0 ? `, ${percent(share)}` : "";
  return weight === "ok" ? `${milliseconds(region.latencyMs)}${traffic}` : `${word}${traffic}`;
}

function widthOf(spot: Spot, roomy: boolean, isWriter: boolean): number {
  const name = spot.region.id.length * 7.6 + (isWriter ? 54 : 0);
  return Math.max(name, roomy ? said(spot).length * 6.6 : 0) + 14;
}

function Legend() {
  return (
    <ul class="legend" aria-label="Signs on the map">
      <li>
        <Mark weight="ok" /> serving
      </li>
      <li>
        <Mark weight="note" /> drained
      </li>
      <li>
        <Mark weight="warn" /> in doubt
      </li>
      <li>
        <Mark weight="crit" /> down
      </li>
      <li>
        <svg class="mark" viewBox="0 0 16 16" aria-hidden="true">
          <path class="edge self" d="M8 3l5 5-5 5-5-5z" />
        </svg>
        this edge
      </li>
    </ul>
  );
}
