/** Latitude and longitude, in degrees. */
export type Place = readonly [number, number];

/** The map's own units: x from 0 to {@link MAP.width}, y from 0 to {@link MAP.height}. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

const HALF_WIDTH = 0.8707 * Math.PI;
const RADIUS = 1_000 / HALF_WIDTH;
/** Nobody runs a region in the Antarctic, and what lies north of this is ice. */
const [NORTH, SOUTH] = [77, -54];
const TOP = naturalEarth([NORTH, 0]).y;

export const MAP = { width: 2_000, height: Math.round((TOP - naturalEarth([SOUTH, 0]).y) * RADIUS) };

/** Where a place is on the map. */
export function project(place: Place): Point {
  const { x, y } = naturalEarth(place);
  return { x: 1_000 + x * RADIUS, y: (TOP - y) * RADIUS };
}

/** The Natural Earth projection by Tom Patterson, as the polynomial of Šavrič and others (2011). */
function naturalEarth([latitude, longitude]: Place): Point {
  const phi = (latitude * Math.PI) / 180;
  const lambda = (longitude * Math.PI) / 180;
  const p2 = phi * phi;
  const p4 = p2 * p2;
  return {
    x: lambda * (0.8707 - 0.131979 * p2 + p4 * (-0.013791 + p4 * (0.003971 * p2 - 0.001529 * p4))),
    y: phi * (1.007226 + p2 * (0.015085 + p4 * (-0.044475 + 0.028874 * p2 - 0.005916 * p4))),
  };
}
