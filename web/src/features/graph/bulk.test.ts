import { expect, it } from "vitest";
import type { Canvas, CanvasNode } from "@/api/schema";
import { boundsOf, boxOf, findBlock, groupLines, isNear, makeBlocks } from "./bulk";
import { NO_MARKS } from "./marks";

const node = (id: string, x: number, more: Partial<CanvasNode> = {}): CanvasNode => ({
  ...{ id, type: "A", title: "A", mode: "runs", x, y: 100, width: 200, height: 80, color: null, background: null, collapsed: false, subgraph: null },
  inputs: [{ name: "i", type: "LATENT", widget: false, linked: true }],
  outputs: [{ name: "o", type: "LATENT", widget: false, linked: true }],
  values: [],
  ...more,
});
const link = (id: string, source: string, target: string) => ({ id, source, source_slot: 0, target, target_slot: 0, type: "LATENT" });
const canvas: Canvas = { id: "", name: "", groups: [], nodes: [node("1", 0), node("2", 400), node("3", 800, { mode: "muted" })], links: [link("a", "1", "2"), link("b", "2", "3"), link("c", "9", "3")] };

it("links go from slot to slot, those that look the same together; one without an end is left out", () => {
  const [plain, faint] = groupLines(canvas, NO_MARKS);
  expect(plain).toMatchObject({ color: "#FF9CF9", alpha: 0.9, mark: null, lines: [{ x1: 200, y1: 114, x2: 400, y2: 114, bend: 100 }] });
  expect(faint).toMatchObject({ alpha: 0.35, lines: [{ x1: 600, x2: 800 }] });
  const marked = groupLines(canvas, { nodes: new Map(), links: new Map([["a", "removed" as const]]) });
  expect(marked.map((group) => group.mark)).toEqual(["removed", null]);
});

it("a link is near a view if any part of it may be in there", () => {
  const line = { x1: 0, y1: 0, x2: 1000, y2: 1000, bend: 500 };
  expect(isNear(line, { x: 400, y: 400, width: 10, height: 10 })).toBe(true);
  expect(isNear(line, { x: 0, y: 2000, width: 10, height: 10 })).toBe(false);
  expect(isNear({ x1: 100, y1: 0, x2: 0, y2: 0, bend: 60 }, { x: 150, y: -5, width: 10, height: 10 })).toBe(true);
});

it("a node is found where it is drawn, with its title, the uppermost first", () => {
  const blocks = makeBlocks({ ...canvas, nodes: [...canvas.nodes, node("4", 10)] }, NO_MARKS);
  expect(findBlock(blocks, 50, 75)?.id).toBe("4");
  expect(findBlock(blocks, 5, 75)?.id).toBe("1");
  expect(findBlock(blocks, 300, 75)).toBeNull();
  expect(boundsOf(canvas.nodes.map(boxOf))).toEqual({ x: 0, y: 70, width: 1000, height: 110 });
  expect(boundsOf([])).toBeNull();
});
