import type { Canvas } from "@/api/schema";
import type { Edits } from "./drafts";

export type MarkKind = "added" | "removed" | "changed" | "edited";

/** How a node differs; `olds` are the values that it had before, by their place. */
export type NodeMark = { kind: MarkKind; olds: ReadonlyMap<number, string> };
export type LinkMark = "added" | "removed";
export type Marks = { nodes: ReadonlyMap<string, NodeMark>; links: ReadonlyMap<string, LinkMark> };

export const NO_MARKS: Marks = { nodes: new Map(), links: new Map() };

/** How marks look: a sign and a word say what the colour says. */
export const SIGNS: Record<MarkKind, { sign: string; border: string; badge: string; text: string; color: string }> = {
  added: { sign: "+", border: "border-success", badge: "bg-success text-background", text: "text-success", color: "var(--success)" },
  removed: { sign: "−", border: "border-destructive", badge: "bg-destructive text-background", text: "text-destructive", color: "var(--destructive)" },
  changed: { sign: "~", border: "border-info", badge: "bg-info text-background", text: "text-info", color: "var(--info)" },
  edited: { sign: "●", border: "border-warning", badge: "bg-warning text-background", text: "text-warning", color: "var(--warning)" },
};

/** The graph as it will be with the changes that are not saved, and which nodes they are in. A subgraph's node is
 * marked for what is changed inside. */
export function applyEdits(canvas: Canvas, edits: Edits): { canvas: Canvas; marks: Marks } {
  const all = Object.values(edits);
  if (all.length === 0) return { canvas, marks: NO_MARKS };
  const here = Map.groupBy(
    all.filter((edit) => edit.graph === canvas.id),
    (edit) => edit.node,
  );
  const inside = new Set(all.map((edit) => edit.graph));
  const nodes = new Map<string, NodeMark>();
  const changed = canvas.nodes.map((node) => {
    const found = here.get(node.id);
    if (found === undefined) {
      if (node.subgraph != null && inside.has(node.subgraph)) nodes.set(node.id, { kind: "edited", olds: new Map() });
      return node;
    }
    nodes.set(node.id, { kind: "edited", olds: new Map(found.map((edit) => [edit.at, edit.old])) });
    const texts = new Map(found.map((edit) => [edit.at, edit.text]));
    return { ...node, values: node.values.map((value, at) => ({ ...value, text: texts.get(at) ?? value.text })) };
  });
  return { canvas: { ...canvas, nodes: changed }, marks: { nodes, links: NO_MARKS.links } };
}
