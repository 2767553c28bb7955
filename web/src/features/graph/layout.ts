import type { Edge, Node } from "@xyflow/react";
import type { Canvas, CanvasGroup, CanvasNode, GraphResult } from "@/api/schema";
import { typeColor } from "./colors";

/** What the editor's title bar takes above a node's place. */
const TITLE = 30;
const COLLAPSED_WIDTH = 160;

export type CardData = { node: CanvasNode; pack: string | null; dimmed: boolean };
export type CardNode = Node<CardData, "card">;
export type GroupNode = Node<{ group: CanvasGroup }, "group-box">;
export type FlowNode = CardNode | GroupNode;

/** The pack that has a node's type, as the lock or the workflow says; null for ComfyUI's own and unknown ones. */
export function packOf(type: string, graph: Pick<GraphResult, "packs" | "provenance">): string | null {
  const said = graph.provenance[type];
  return graph.packs[type] ?? said?.aux_id ?? said?.cnr_id ?? null;
}

/** React Flow's nodes of a graph, at the editor's places; groups lie behind. */
export function makeNodes(canvas: Canvas, graph: Pick<GraphResult, "packs" | "provenance">, found: ReadonlySet<string> | null): FlowNode[] {
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
  const cards = canvas.nodes.map(
    (node): CardNode => ({
      id: node.id,
      type: "card",
      position: { x: node.x, y: node.y - TITLE },
      width: node.collapsed ? COLLAPSED_WIDTH : node.width,
      height: node.collapsed ? TITLE : node.height + TITLE,
      data: { node, pack: packOf(node.type, graph), dimmed: found !== null && !found.has(node.id) },
      ariaLabel: `${node.title}, ${node.mode}`,
    }),
  );
  return [...groups, ...cards];
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

export function makeEdges(canvas: Canvas): Edge[] {
  const modes = new Map(canvas.nodes.map((node) => [node.id, node.mode]));
  return canvas.links.map((link) => ({
    id: link.id,
    source: link.source,
    sourceHandle: `out-${link.source_slot}`,
    target: link.target,
    targetHandle: `in-${link.target_slot}`,
    style: {
      stroke: typeColor(link.type),
      strokeWidth: 2,
      opacity: modes.get(link.source) === "muted" || modes.get(link.target) === "muted" ? 0.35 : 0.9,
    },
    focusable: false,
  }));
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
