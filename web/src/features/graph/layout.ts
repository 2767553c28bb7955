import { type Edge, type Node, type NodeHandle, Position } from "@xyflow/react";
import type { Canvas, CanvasGroup, CanvasNode, GraphResult } from "@/api/schema";
import { typeColor } from "./colors";
import { type LinkMark, type Marks, NO_MARKS, type NodeMark } from "./marks";

/** What the editor's title bar takes above a node's place. */
export const TITLE = 30;
/** Pixels of a row with slots, of one with a value, and of a text that does not fit into one. */
const SLOT = 20;
const VALUE = 24;
const TEXT = 124;
const HANDLE = 10;
/** Characters of a value that are shown in one row. */
export const LINE = 60;
const COLLAPSED_WIDTH = 160;

/** `linked` are the slots that links go to and come from: `in-0`, `out-1`. */
export type CardData = { node: CanvasNode; pack: string | null; dimmed: boolean; linked: ReadonlySet<string>; mark: NodeMark | null };
export type CardNode = Node<CardData, "card">;
export type GroupNode = Node<{ group: CanvasGroup }, "group-box">;
export type FlowNode = CardNode | GroupNode;

/** The pack that has a node's type, as the lock or the workflow says; null for ComfyUI's own and unknown ones. */
export function packOf(type: string, graph: Pick<GraphResult, "packs" | "provenance">): string | null {
  const said = graph.provenance[type];
  return graph.packs[type] ?? said?.aux_id ?? said?.cnr_id ?? null;
}

/** React Flow's nodes of a graph, at the editor's places; groups lie behind. */
export function makeNodes(
  canvas: Canvas,
  graph: Pick<GraphResult, "packs" | "provenance">,
  found: ReadonlySet<string> | null,
  marks: Marks = NO_MARKS,
): FlowNode[] {
  const groups = canvas.groups.map(
    (group, at): GroupNode => ({
      id: `group-${at}`,
      type: "group-box",
      position: { x: group.x, y: group.y },
      width: group.width,
      height: group.height,
      data: { group },
      selectable: false,
      focusable: false,
      zIndex: -1,
    }),
  );
  const linked = findLinked(canvas.links);
  const cards = canvas.nodes.map((node) =>
    makeCard(node, {
      pack: packOf(node.type, graph),
      dimmed: found !== null && !found.has(node.id),
      linked: linked.get(node.id) ?? NONE,
      mark: marks.nodes.get(node.id) ?? null,
    }),
  );
  return [...groups, ...cards];
}

/** What was made of a node before: React Flow looks only at those that are new, so that typing stays quick in a graph of
 * thousands. */
const made = new WeakMap<CanvasNode, CardNode>();

/** Without this, React Flow measures each card when it comes into view, and looks at all others then; sizes and slots are
 * known. */
const nameOf = (node: CanvasNode) => ({ "data-id": undefined, "data-node": node.id }) as NonNullable<CardNode["domAttributes"]>;

function makeCard(node: CanvasNode, look: Omit<CardData, "node">): CardNode {
  const { pack, dimmed, linked, mark } = look;
  const before = made.get(node)?.data;
  if (before !== undefined && before.pack === pack && before.dimmed === dimmed && before.linked === linked && before.mark === mark) return made.get(node) as CardNode;
  const card: CardNode = {
    id: node.id,
    type: "card",
    position: { x: node.x, y: node.y - TITLE },
    ...sizeOf(node),
    // Else only those that are drawn already are fitted into the view.
    measured: sizeOf(node),
    data: { node, ...look },
    ariaLabel: [node.title, node.mode, mark?.kind].filter(Boolean).join(", "),
    handles: makeHandles(node, linked),
    domAttributes: nameOf(node),
  };
  made.set(node, card);
  return card;
}

export function sizeOf(node: CanvasNode): { width: number; height: number } {
  return { width: node.collapsed ? COLLAPSED_WIDTH : node.width, height: node.collapsed ? TITLE : node.height + TITLE };
}

const NONE: ReadonlySet<string> = new Set();

const linkedSlots = new WeakMap<Canvas["links"], Map<string, Set<string>>>();

function findLinked(links: Canvas["links"]): Map<string, Set<string>> {
  const known = linkedSlots.get(links);
  if (known !== undefined) return known;
  const found = new Map<string, Set<string>>();
  const add = (id: string, slot: string) => {
    const slots = found.get(id);
    if (slots === undefined) found.set(id, new Set([slot]));
    else slots.add(slot);
  };
  for (const link of links) {
    add(link.source, `out-${link.source_slot}`);
    add(link.target, `in-${link.target_slot}`);
  }
  linkedSlots.set(links, found);
  return found;
}

export type Rows = {
  /** Inputs that are sockets, beside the outputs. */
  sockets: number[];
  /** Values, each with the input that stands for it; -1 for none. */
  values: { input: number; name: string; text: string }[];
};

/** What a card shows below its title, a row each: first sockets and outputs, then values. An input that stands for a
 * value is in that value's row. */
export function makeRows(node: CanvasNode): Rows {
  const shown = new Set(node.values.map((value) => value.name));
  const isValue = (at: number) => node.inputs[at]?.widget === true && shown.has(node.inputs[at]?.name ?? "");
  const all = node.inputs.map((_, at) => at);
  return {
    sockets: all.filter((at) => !isValue(at)),
    values: node.values.map((value) => ({ ...value, input: all.find((at) => isValue(at) && node.inputs[at]?.name === value.name) ?? -1 })),
  };
}

/** Where the slots of a card are, from its top. */
export function placeSlots(node: CanvasNode): { inputs: number[]; outputs: number[] } {
  const { sockets, values } = makeRows(node);
  const slot = (row: number) => (node.collapsed ? TITLE / 2 : TITLE + 14 + row * SLOT);
  const rows = Math.max(sockets.length, node.outputs.length);
  const tops = new Map<number, number>();
  let top = slot(rows) + 2;
  for (const value of values) {
    tops.set(value.input, top);
    top += value.text.length > LINE ? TEXT : VALUE;
  }
  return {
    inputs: node.inputs.map((_, at) => (node.collapsed ? TITLE / 2 : (tops.get(at) ?? slot(sockets.indexOf(at))))),
    outputs: node.outputs.map((_, at) => slot(at)),
  };
}

/** The places that links go to, so that React Flow need not draw every card to find them. */
function makeHandles(node: CanvasNode, linked: ReadonlySet<string>): NodeHandle[] {
  const { inputs, outputs } = placeSlots(node);
  const width = node.collapsed ? COLLAPSED_WIDTH : node.width;
  const size = { width: HANDLE, height: HANDLE };
  return [
    ...inputs.map((top, at): NodeHandle => ({ id: `in-${at}`, type: "target", position: Position.Left, x: -HANDLE / 2, y: top - HANDLE / 2, ...size })),
    ...outputs.map((top, at): NodeHandle => ({ id: `out-${at}`, type: "source", position: Position.Right, x: width - HANDLE / 2, y: top - HANDLE / 2, ...size })),
  ].filter((handle) => linked.has(handle.id ?? ""));
}

export function makeEdges(canvas: Canvas, marks: Marks = NO_MARKS): Edge[] {
  const modes = new Map(canvas.nodes.map((node) => [node.id, node.mode]));
  return canvas.links.map((link) => ({
    id: link.id,
    ...markEdge(marks.links.get(link.id)),
    source: link.source,
    sourceHandle: `out-${link.source_slot}`,
    target: link.target,
    targetHandle: `in-${link.target_slot}`,
    style: {
      stroke: typeColor(link.type),
      strokeWidth: marks.links.has(link.id) ? 3.5 : 2,
      ...(marks.links.get(link.id) === "removed" ? { strokeDasharray: "7 6" } : {}),
      opacity: modes.get(link.source) === "muted" || modes.get(link.target) === "muted" ? 0.35 : 0.9,
    },
    focusable: false,
  }));
}

function markEdge(mark: LinkMark | undefined): Partial<Edge> {
  return mark === undefined ? {} : { label: mark === "added" ? "+" : "−" };
}

/** The ids of the nodes that a search finds: by id, title, type, pack or value. Null where nothing is searched. */
export function searchNodes(canvas: Canvas, graph: Pick<GraphResult, "packs" | "provenance">, search: string): Set<string> | null {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return null;
  const matches = (node: CanvasNode) => {
    const text = [node.id, node.title, node.type, packOf(node.type, graph) ?? "", ...node.values.map((v) => `${v.name} ${v.text}`)]
      .join("\n")
      .toLowerCase();
    return words.every((word) => text.includes(word));
  };
  return new Set(canvas.nodes.filter(matches).map((node) => node.id));
}
