import type { Canvas } from "@/api/schema";
import { typeColor } from "./colors";
import { placeSlots, sizeOf, TITLE } from "./layout";
import { type LinkMark, type Marks, SIGNS } from "./marks";

/** With more nodes, links are drawn on a canvas, and so are the nodes themselves where their text cannot be read: a
 * browser does not move thousands of elements smoothly. */
export const MANY = 400;

export type Box = { x: number; y: number; width: number; height: number };

/** A link from (x1, y1) to (x2, y2); `bend` is how far it goes straight out of a slot. */
export type Line = { x1: number; y1: number; x2: number; y2: number; bend: number };

/** Links that look the same, and their looks. */
export type LineGroup = { color: string; alpha: number; width: number; mark: LinkMark | null; lines: Line[] };

export type Block = Box & { id: string; color: string | null; mark: string | null; muted: boolean };

const OUT = 6.25;

/** Where links go, by their looks. */
export function groupLines(canvas: Canvas, marks: Marks): LineGroup[] {
  const nodes = new Map(canvas.nodes.map((node) => [node.id, { node, slots: placeSlots(node), size: sizeOf(node) }]));
  const groups = new Map<string, LineGroup>();
  for (const link of canvas.links) {
    const from = nodes.get(link.source);
    const to = nodes.get(link.target);
    const out = from?.slots.outputs[link.source_slot];
    const into = to?.slots.inputs[link.target_slot];
    if (from === undefined || to === undefined || out === undefined || into === undefined) continue;
    const [x1, x2] = [from.node.x + from.size.width, to.node.x];
    const line = { x1, y1: from.node.y - TITLE + out, x2, y2: to.node.y - TITLE + into, bend: bendOf(x2 - x1) };
    const mark = marks.links.get(link.id) ?? null;
    const alpha = from.node.mode === "muted" || to.node.mode === "muted" ? 0.35 : 0.9;
    const color = typeColor(link.type);
    const key = `${color} ${alpha} ${mark}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { color, alpha, mark, width: mark === null ? 2 : 3.5, lines: [line] });
    else group.lines.push(line);
  }
  return [...groups.values()];
}

/** As React Flow bends links between a right and a left side. */
function bendOf(distance: number): number {
  return distance >= 0 ? distance / 2 : OUT * Math.sqrt(-distance);
}

/** Nodes as blocks, as they are drawn where no text can be read. */
export function makeBlocks(canvas: Canvas, marks: Marks): Block[] {
  return canvas.nodes.map((node) => {
    const mark = marks.nodes.get(node.id);
    return { id: node.id, ...boxOf(node), color: node.color ?? null, mark: mark === undefined ? null : SIGNS[mark.kind].color, muted: node.mode !== "runs" };
  });
}

export function boxOf(node: Canvas["nodes"][number]): Box {
  return { x: node.x, y: node.y - TITLE, ...sizeOf(node) };
}

/** What is around all of these; null for none. */
export function boundsOf(boxes: readonly Box[]): Box | null {
  if (boxes.length === 0) return null;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y, width, height } of boxes) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x + width);
    bottom = Math.max(bottom, y + height);
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** The uppermost node at a place; null for none. */
export function findBlock(blocks: readonly Block[], x: number, y: number): Block | null {
  return blocks.findLast((one) => x >= one.x && x <= one.x + one.width && y >= one.y && y <= one.y + one.height) ?? null;
}

/** Whether a link may be seen in a part of the graph. */
export function isNear(line: Line, view: Box): boolean {
  const { x1, y1, x2, y2, bend } = line;
  return (
    Math.max(x1 + bend, x2) >= view.x &&
    Math.min(x1, x2 - bend) <= view.x + view.width &&
    Math.max(y1, y2) >= view.y &&
    Math.min(y1, y2) <= view.y + view.height
  );
}
