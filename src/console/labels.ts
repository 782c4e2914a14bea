/** A rectangle in pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Marker {
  readonly id: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const GAP = 12;

/**
 * Where each marker's label goes: the first of eight places around it that meets neither the frame, nor another label, nor a dot;
 * else one that hides a dot; the first of all when there is none. Markers that come first choose first. `dots` is whatever else is
 * on the map.
 */
export function placeLabels(
  markers: readonly Marker[],
  frame: Pick<Box, "width" | "height">,
  dots: readonly Pick<Box, "x" | "y">[] = [],
): ReadonlyMap<string, Box> {
  const shown = [...markers, ...dots].map(({ x, y }) => ({ x: x - 7, y: y - 7, width: 14, height: 14 }));
  const placed = new Map<string, Box>();
  for (const marker of markers) {
    const inside = places(marker).filter((box) => within(box, frame));
    const clear = inside.filter((box) => ![...placed.values()].some((other) => meet(box, other)));
    const free = clear.find((box) => !shown.some((dot) => meet(box, dot)));
    const found = free ?? clear[0] ?? inside[0] ?? places(marker)[0];
    if (found !== undefined) placed.set(marker.id, found);
  }
  return placed;
}

function places({ x, y, width, height }: Marker): readonly Box[] {
  const [left, right] = [x - GAP - width, x + GAP];
  const [above, below] = [y - GAP - height, y + GAP];
  const [centred, middle] = [x - width / 2, y - height / 2];
  const corners = [
    [right, middle],
    [centred, above],
    [centred, below],
    [left, middle],
    [right, below - 4],
    [left, below - 4],
    [right, above + 4],
    [left, above + 4],
  ] as const;
  return corners.map(([boxX, boxY]) => ({ x: boxX, y: boxY, width, height }));
}

function within({ x, y, width, height }: Box, frame: Pick<Box, "width" | "height">): boolean {
  return x >= 0 && y >= 0 && x + width <= frame.width && y + height <= frame.height;
}

function meet(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
