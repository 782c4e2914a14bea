import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { MAP, type Place, type Point, project } from "../../src/console/projection.ts";

/** What is used of TopoJSON: arcs of differences, and polygons of arc numbers, where ~n is arc n backwards. */
interface Topology {
  readonly transform: {
    readonly scale: readonly [number, number];
    readonly translate: readonly [number, number];
  };
  readonly arcs: readonly (readonly (readonly [number, number])[])[];
  readonly objects: {
    readonly land: {
      readonly geometries: readonly { readonly arcs: readonly (readonly (readonly number[])[])[] }[];
    };
  };
}

/** On a map 2000 units wide; a pixel or less on most screens. */
const LEAST_STEP = 3;
const LEAST_ISLAND = 9;

/** The world's land as one SVG path, coarse enough for a console: Natural Earth 1:110m, which is in the public domain. */
export function coastline(): string {
  const file = createRequire(import.meta.url).resolve("world-atlas/land-110m.json");
  const topology = JSON.parse(readFileSync(file, "utf8")) as Topology;
  const arcs = topology.arcs.map((arc) => decoded(arc, topology.transform));
  const rings = topology.objects.land.geometries.flatMap((land) => land.arcs.flat());
  return rings.map((ring) => pathOf(ring.flatMap((each) => pointsOf(each, arcs)))).join("");
}

function decoded(arc: Topology["arcs"][number], { scale, translate }: Topology["transform"]): Place[] {
  let [x, y] = [0, 0];
  return arc.map(([dx, dy]) => {
    [x, y] = [x + dx, y + dy];
    return [y * scale[1] + translate[1], x * scale[0] + translate[0]];
  });
}

function pointsOf(number: number, arcs: readonly Place[][]): readonly Place[] {
  return number < 0 ? (arcs[~number] ?? []).toReversed() : (arcs[number] ?? []);
}

/** A coast that goes around the back of the map goes on beyond its edge, instead of coming back across it. */
function unwrapped(ring: readonly Place[]): readonly Place[] {
  let turn = 0;
  let before = ring[0]?.[1] ?? 0;
  const longitudes = ring.map(([, longitude]) => {
    if (Math.abs(longitude - before) > 180) turn += longitude > before ? -360 : 360;
    before = longitude;
    return longitude + turn;
  });
  const mean = longitudes.reduce((sum, longitude) => sum + longitude, 0) / Math.max(longitudes.length, 1);
  const back = Math.round(mean / 360) * 360;
  return ring.map(([latitude], index) => [latitude, (longitudes[index] ?? 0) - back]);
}

function pathOf(ring: readonly Place[]): string {
  const kept: { x: number; y: number }[] = [];
  for (const point of unwrapped(ring).map(project)) {
    const [x, y] = [Math.round(point.x), Math.round(Math.min(point.y, MAP.height + 20))];
    const last = kept.at(-1);
    if (last === undefined || Math.hypot(x - last.x, y - last.y) >= LEAST_STEP) kept.push({ x, y });
  }
  const extent = (of: (point: Point) => number) => Math.max(...kept.map(of)) - Math.min(...kept.map(of));
  const [first, ...rest] = kept;
  if (first === undefined || extent(({ x }) => x) < LEAST_ISLAND || extent(({ y }) => y) < LEAST_ISLAND / 2)
    return "";
  let before = first;
  const steps = rest.map((point) => {
    const step = `${point.x - before.x} ${point.y - before.y}`;
    before = point;
    return step;
  });
  return `M${first.x} ${first.y}l${steps.join(" ").replaceAll(" -", "-")}z`;
}
