import { describe, expect, it } from "vitest";
import type { Canvas, CanvasNode } from "@/api/schema";
import { typeColor } from "./colors";
import { applyEdits } from "./marks";
import { makeEdges, makeNodes, makeRows, packOf, placeSlots, searchNodes } from "./layout";

const node = (id: string, more: Partial<CanvasNode> = {}): CanvasNode => ({
  id,
  type: "KSampler",
  title: "KSampler",
  mode: "runs",
  x: 10,
  y: 100,
  width: 200,
  height: 80,
  color: null,
  background: null,
  collapsed: false,
  subgraph: null,
  inputs: [],
  outputs: [],
  values: [],
  ...more,
});

const canvas: Canvas = {
  id: "",
  name: "",
  nodes: [node("1", { values: [{ name: "seed", text: "42" }] }), node("2", { mode: "muted", collapsed: true, type: "Sky" })],
  links: [{ id: "7", source: "1", source_slot: 0, target: "2", target_slot: 3, type: "LATENT" }],
  groups: [{ title: "All", x: 0, y: 0, width: 500, height: 300, color: null }],
};
const graph = { packs: { Sky: "hello-card" }, provenance: { Old: { cnr_id: "old-pack", aux_id: null, version: null } } };

describe("a graph", () => {
  it("has its nodes where the editor has them, with the title above the place", () => {
    const [group, first, second] = makeNodes(canvas, graph, null);
    expect(group).toMatchObject({ type: "group-box", zIndex: -1 });
    expect(first).toMatchObject({ position: { x: 10, y: 70 }, width: 200, height: 110 });
    expect(second).toMatchObject({ height: 30, data: { pack: "hello-card", linked: new Set(["in-3"]) } });
  });

  it("draws links in their type's colour, and those of muted nodes faintly", () => {
    expect(makeEdges(canvas)).toEqual([
      expect.objectContaining({ sourceHandle: "out-0", targetHandle: "in-3", style: { stroke: "#FF9CF9", strokeWidth: 2, opacity: 0.35 } }),
    ]);
  });

  it("is searched by values and packs, too", () => {
    expect(searchNodes(canvas, graph, "  ")).toBeNull();
    expect(searchNodes(canvas, graph, "SEED 42")).toEqual(new Set(["1"]));
    expect(searchNodes(canvas, graph, "hello-card")).toEqual(new Set(["2"]));
  });

  it("says a node's pack as the lock has it, else as the workflow says", () => {
    expect([packOf("Sky", graph), packOf("Old", graph), packOf("KSampler", graph)]).toEqual(["hello-card", "old-pack", null]);
  });
});

it("a type without a colour of the editor always gets the same", () => {
  expect(typeColor("MY_TYPE")).toBe(typeColor("MY_TYPE"));
  expect(typeColor("latent")).toBe("#FF9CF9");
});

it("an input that stands for a value is in the value's row, not beside the outputs", () => {
  const slot = (name: string, widget: boolean) => ({ name, type: "INT", widget, linked: false });
  const card = node("3", { inputs: [slot("image", false), slot("seed", true), slot("gone", true)], values: [{ name: "seed", text: "7" }, { name: "", text: "fixed" }] });
  expect(makeRows(card)).toEqual({
    sockets: [0, 2],
    values: [
      { name: "seed", text: "7", input: 1 },
      { name: "", text: "fixed", input: -1 },
    ],
  });
});

it("slots are in their rows: sockets beside outputs, then values, of which long texts are higher", () => {
  const slot = (name: string, widget: boolean) => ({ name, type: "INT", widget, linked: false });
  const text = { name: "text", text: "x".repeat(61) };
  const card = node("4", { inputs: [slot("a", false), slot("text", true), slot("n", true)], outputs: [slot("o", false)], values: [text, { name: "n", text: "1" }] });
  expect(placeSlots(card)).toEqual({ inputs: [44, 66, 190], outputs: [44] });
  expect(placeSlots({ ...card, collapsed: true })).toEqual({ inputs: [15, 15, 15], outputs: [15] });
});

it("a card says where links go to, and only that", () => {
  const linkedCards = makeNodes({ ...canvas, nodes: [node("1", { outputs: [{ name: "o", type: "LATENT", widget: false, linked: false }] }), node("2")] }, graph, null);
  expect(linkedCards.slice(1).map((card) => card.handles?.map((handle) => handle.id))).toEqual([["out-0"], []]);
});

it("a node that is as it was is the same card, and a changed one is another", () => {
  const edit = { graph: "", node: "1", title: "", key: "0", at: 0, name: "seed", old: "42", text: "43", problem: "" };
  const before = makeNodes(canvas, graph, null);
  const edited = applyEdits(canvas, { x: edit });
  const after = makeNodes(edited.canvas, graph, null, edited.marks);
  expect(after[2]).toBe(before[2]);
  expect(after[1]).not.toBe(before[1]);
  expect(makeNodes(canvas, graph, new Set(["1"]))[2]).not.toBe(before[2]);
});
