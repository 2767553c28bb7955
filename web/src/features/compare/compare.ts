import type { Canvas, CanvasLink, CanvasNode, GraphResult } from "@/api/schema";
import type { LinkMark, Marks, NodeMark } from "@/features/graph/marks";

/** One graph of two versions: the newer one's, with what only the older one has in its old places. */
export type Compared = { canvas: Canvas; marks: Marks; counts: Counts };
export type Counts = { added: number; removed: number; changed: number };

const NO_OLDS: ReadonlyMap<number, string> = new Map();

/** The graphs of two versions of a workflow, one for each that either has. */
export function compareGraphs(old: Pick<GraphResult, "graphs">, now: Pick<GraphResult, "graphs">): Compared[] {
  const before = new Map(old.graphs.map((one) => [one.id, one]));
  const after = new Map(now.graphs.map((one) => [one.id, one]));
  const ids = [...new Set([...after.keys(), ...before.keys()])];
  const differing = new Set<string>();
  // Inner graphs first would need an order; a host is marked in as many rounds as graphs are nested.
  let compared: Compared[] = [];
  for (let round = 0; round <= ids.length; round += 1) {
    compared = ids.map((id) => compareCanvases(before.get(id), after.get(id), differing));
    const found = compared.filter(({ counts }) => counts.added + counts.removed + counts.changed > 0).map(({ canvas }) => canvas.id);
    if (found.every((id) => differing.has(id))) break;
    for (const id of found) differing.add(id);
  }
  return compared;
}

function compareCanvases(old: Canvas | undefined, now: Canvas | undefined, differing: ReadonlySet<string>): Compared {
  const base = now ?? (old as Canvas);
  const before = new Map((old?.nodes ?? []).map((node) => [node.id, node]));
  const after = new Map((now?.nodes ?? []).map((node) => [node.id, node]));
  const nodes = new Map<string, NodeMark>();
  const links = new Map<string, LinkMark>();
  const sources = [listSources(old), listSources(now)] as const;
  for (const node of after.values()) {
    const earlier = before.get(node.id);
    if (earlier === undefined) nodes.set(node.id, { kind: "added", olds: NO_OLDS });
    else {
      const olds = compareValues(earlier, node);
      const inside = node.subgraph != null && differing.has(node.subgraph);
      const rewired = sources[0].get(node.id)?.join() !== sources[1].get(node.id)?.join();
      if (olds.size > 0 || inside || rewired || earlier.type !== node.type || earlier.mode !== node.mode || earlier.values.length !== node.values.length) {
        nodes.set(node.id, { kind: "changed", olds });
      }
    }
  }
  const gone = [...before.values()].filter((node) => !after.has(node.id));
  for (const node of gone) nodes.set(node.id, { kind: "removed", olds: NO_OLDS });

  const [oldLinks, newLinks] = [nameLinks(old), nameLinks(now)];
  for (const [name, link] of newLinks) if (!oldLinks.has(name)) links.set(link.id, "added");
  const lost = [...oldLinks].filter(([name]) => !newLinks.has(name)).map(([, link]) => ({ ...link, id: `old-${link.id}` }));
  for (const link of lost) links.set(link.id, "removed");

  const kinds = [...nodes.values()].map((mark) => mark.kind);
  const counts = { added: 0, removed: 0, changed: 0 };
  for (const kind of kinds) if (kind !== "edited") counts[kind] += 1;
  return {
    canvas: { ...base, nodes: [...(now?.nodes ?? []), ...gone], links: [...(now?.links ?? []), ...lost] },
    marks: { nodes, links },
    counts,
  };
}

/** The values that differ, by their place in the newer node; values with names are compared by name. */
function compareValues(old: CanvasNode, now: CanvasNode): Map<number, string> {
  const named = new Map(old.values.filter((value) => value.name !== "").map((value) => [value.name, value.text]));
  const olds = new Map<number, string>();
  now.values.forEach((value, at) => {
    const before = value.name === "" ? old.values[at]?.text : (named.get(value.name) ?? "");
    if (before !== undefined && before !== value.text) olds.set(at, before);
  });
  return olds;
}

function nameLinks(canvas: Canvas | undefined): Map<string, CanvasLink> {
  const nodes = new Map((canvas?.nodes ?? []).map((node) => [node.id, node]));
  return new Map((canvas?.links ?? []).map((link) => [nameLink(link, nodes), link]));
}

/** A link by its ends: its id is another one after each time that it is drawn. */
function nameLink(link: CanvasLink, nodes: ReadonlyMap<string, CanvasNode>): string {
  const input = nodes.get(link.target)?.inputs[link.target_slot]?.name ?? String(link.target_slot);
  return JSON.stringify([link.source, link.source_slot, link.target, input]);
}

function listSources(canvas: Canvas | undefined): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [name, link] of nameLinks(canvas)) found.set(link.target, [...(found.get(link.target) ?? []), name].sort());
  return found;
}

/** Two versions in an address: `1..3`. */
export function parsePair(text: string | undefined): [number, number] | null {
  const found = /^([1-9]\d{0,8})\.\.([1-9]\d{0,8})$/.exec(text ?? "");
  return found === null ? null : [Number(found[1]), Number(found[2])];
}
