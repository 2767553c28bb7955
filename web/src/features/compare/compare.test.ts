import { expect, it } from "vitest";
import type { Canvas, CanvasLink, CanvasNode } from "@/api/schema";
import { applyEdits } from "@/features/graph/marks";
import { compareGraphs, parsePair } from "./compare";

const node = (id: string, more: Partial<CanvasNode> = {}): CanvasNode => ({
  id, type: "KSampler", title: id, mode: "runs", x: 0, y: 0, width: 200, height: 80, color: null, background: null, collapsed: false, subgraph: null, inputs: [], outputs: [], values: [], ...more,
});
const link = (id: string, source: string, target: string): CanvasLink => ({ id, source, source_slot: 0, target, target_slot: 0, type: "LATENT" });
const canvas = (nodes: CanvasNode[], links: CanvasLink[] = [], id = ""): Canvas => ({ id, name: id, nodes, links, groups: [] });
const compare = (old: Canvas[], now: Canvas[]) => compareGraphs({ graphs: old }, { graphs: now });
const kinds = (compared: ReturnType<typeof compare>[number] | undefined) => Object.fromEntries([...(compared?.marks.nodes ?? [])].map(([id, mark]) => [id, mark.kind]));
const steps = (text: string) => [{ name: "steps", text }];

it("nodes are added, removed and changed; what is only elsewhere is the same", () => {
  const [one] = compare([canvas([node("1"), node("2"), node("3", { values: steps("20") })])], [canvas([node("1", { x: 99, title: "moved" }), node("3", { values: steps("30") }), node("4")])]);
  expect(kinds(one)).toEqual({ "3": "changed", "4": "added", "2": "removed" });
  expect(one?.counts).toEqual({ added: 1, removed: 1, changed: 1 });
  expect(one?.canvas.nodes.map(({ id }) => id)).toEqual(["1", "3", "4", "2"]);
  expect(one?.marks.nodes.get("3")?.olds).toEqual(new Map([[0, "20"]]));
});

it("a link is known by its ends, not by its id", () => {
  const nodes = [node("1"), node("2"), node("3", { inputs: [{ name: "x", type: "LATENT", widget: false, linked: true }] })];
  const [same] = compare([canvas(nodes, [link("7", "1", "3")])], [canvas(nodes, [link("9", "1", "3")])]);
  expect(same?.marks.links.size).toBe(0);
  const [other] = compare([canvas(nodes, [link("7", "1", "3")])], [canvas(nodes, [link("7", "2", "3")])]);
  expect([...(other?.marks.links ?? [])]).toEqual([["7", "added"], ["old-7", "removed"]]);
  expect(kinds(other)).toEqual({ "3": "changed" });
});

it("the node of a subgraph is marked for what differs inside, at any depth", () => {
  const graphs = (text: string) => [canvas([node("1", { subgraph: "a" })]), canvas([node("2", { subgraph: "b" })], [], "a"), canvas([node("3", { values: steps(text) })], [], "b")];
  expect(compare(graphs("1"), graphs("2")).map(kinds)).toEqual([{ "1": "changed" }, { "2": "changed" }, { "3": "changed" }]);
  expect(compare(graphs("1"), graphs("1")).map(kinds)).toEqual([{}, {}, {}]);
});

it("a subgraph that only one of them has is added or removed as a whole", () => {
  const inner = canvas([node("2")], [], "a");
  expect(kinds(compare([canvas([])], [canvas([]), inner])[1])).toEqual({ "2": "added" });
  expect(kinds(compare([canvas([]), inner], [canvas([])])[1])).toEqual({ "2": "removed" });
});

it("changes that are not saved are shown in their node, and on the node of their subgraph", () => {
  const edit = { graph: "a", node: "2", title: "", key: "0", at: 0, name: "steps", old: "20", text: "30", problem: "" };
  const inside = applyEdits(canvas([node("2", { values: steps("20") })], [], "a"), { x: edit });
  expect(inside.canvas.nodes[0]?.values).toEqual(steps("30"));
  expect(inside.marks.nodes.get("2")).toEqual({ kind: "edited", olds: new Map([[0, "20"]]) });
  expect(applyEdits(canvas([node("1", { subgraph: "a" })]), { x: edit }).marks.nodes.get("1")?.kind).toBe("edited");
});

it("two versions are read from an address, and nothing else", () => {
  expect([parsePair("1..3"), parsePair("3..1"), parsePair("0..1"), parsePair("1"), parsePair("1..3x"), parsePair(undefined)]).toEqual([[1, 3], [3, 1], null, null, null, null]);
});
