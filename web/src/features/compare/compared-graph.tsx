import { useQuery } from "@tanstack/react-query";
import { ChevronRight } from "lucide-react";
import { useMemo, useState } from "react";
import { graphQuery } from "@/api/queries";
import type { CanvasNode } from "@/api/schema";
import { LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { GraphView } from "@/features/graph/graph-view";
import { type MarkKind, SIGNS } from "@/features/graph/marks";
import { cn } from "@/lib/cn";
import { compareGraphs, type Counts } from "./compare";

/** Two versions as one graph: what was added, removed and changed, by colour, sign and word. */
export default function ComparedGraph({ name, pair }: { name: string; pair: [number, number] }) {
  const old = useQuery(graphQuery(name, pair[0]));
  const now = useQuery(graphQuery(name, pair[1]));
  const [path, setPath] = useState<string[]>([]);
  const [only, setOnly] = useState(false);
  const compared = useMemo(() => (old.data === undefined || now.data === undefined ? null : compareGraphs(old.data, now.data)), [old.data, now.data]);
  const shown = compared?.find(({ canvas }) => canvas.id === (path.at(-1) ?? "")) ?? compared?.[0];
  const found = useMemo(() => (only && shown !== undefined ? new Set(shown.marks.nodes.keys()) : null), [only, shown]);
  const error = old.error ?? now.error;
  if (error !== null) return <LoadError error={error} retry={() => Promise.all([old.refetch(), now.refetch()])} />;
  if (shown === undefined || now.data === undefined || old.data === undefined || old.isPlaceholderData || now.isPlaceholderData) return <Loading rows={8} />;
  const graph = { ...now.data, packs: { ...old.data.packs, ...now.data.packs } };
  const names = new Map([...old.data.graphs, ...now.data.graphs].map((one) => [one.id, one.name]));
  const open = (node: CanvasNode) => {
    if (node.subgraph != null) setPath([...path, node.subgraph]);
  };
  return (
    <div className="overflow-hidden rounded-md border bg-card">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b px-2.5 py-1.5 text-[0.84rem]">
        {path.length > 0 && (
          <nav aria-label="Subgraphs" className="flex items-center">
            <Button variant="link" size="sm" className="px-1" onClick={() => setPath([])}>
              {name}
            </Button>
            {path.map((id, at) => (
              <span key={id} className="flex items-center">
                <ChevronRight className="size-3.5 text-muted-foreground" />
                <Button variant="link" size="sm" className="px-1" onClick={() => setPath(path.slice(0, at + 1))}>
                  {names.get(id)}
                </Button>
              </span>
            ))}
          </nav>
        )}
        <Legend counts={shown.counts} />
        <div className="flex-1" />
        <Button variant={only ? "secondary" : "ghost"} size="sm" aria-pressed={only} disabled={shown.marks.nodes.size === 0} onClick={() => setOnly(!only)}>
          Only what differs
        </Button>
      </div>
      <div className="relative h-[26rem]">
        <GraphView key={`${pair.join()}-${shown.canvas.id}`} canvas={shown.canvas} graph={graph} found={found} marks={shown.marks} map={false} onSelect={() => undefined} onOpen={open} />
      </div>
    </div>
  );
}

function Legend({ counts }: { counts: Counts }) {
  const kinds = ["added", "removed", "changed"] satisfies MarkKind[];
  return (
    <ul className="flex flex-wrap gap-x-3" aria-label="Nodes">
      {kinds.map((kind) => (
        <li key={kind} className={cn("flex items-center gap-1.5", counts[kind] === 0 && "text-muted-foreground")}>
          <span className={cn("inline-grid h-4 min-w-4 place-items-center rounded px-0.5 text-[0.72rem] font-semibold", counts[kind] === 0 ? "bg-muted" : SIGNS[kind].badge)} aria-hidden>
            {SIGNS[kind].sign}
          </span>
          {counts[kind]} {kind}
        </li>
      ))}
    </ul>
  );
}
