import { useQuery } from "@tanstack/react-query";
import { ChevronRight, Search, Table2, Workflow } from "lucide-react";
import { useMemo, useState } from "react";
import { graphQuery, versionsQuery } from "@/api/queries";
import type { CanvasNode, WorkflowEntry } from "@/api/schema";
import { useRefusal } from "@/api/session";
import { LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Input, NativeSelect } from "@/components/ui/input";
import { count } from "@/lib/format";
import { NO_EDITS, useDrafts } from "./drafts";
import { EditBar } from "./edit-bar";
import { GraphView } from "./graph-view";
import { searchNodes } from "./layout";
import { applyEdits, NO_MARKS } from "./marks";
import { NodeDetails } from "./node-details";
import { NodeTable } from "./node-table";
import { NodeValues } from "./node-values";

/** The workflow as a graph, or as a table of its nodes. */
export default function GraphTab({ workflow }: { workflow: WorkflowEntry }) {
  const [version, setVersion] = useState<number | undefined>(undefined);
  const [search, setSearch] = useState("");
  const [asTable, setAsTable] = useState(false);
  const [path, setPath] = useState<string[]>([]);
  const [selected, setSelected] = useState<string | null>(null);
  const [withKeys, setWithKeys] = useState(false);
  const { data: graph, error, refetch, isPending } = useQuery(graphQuery(workflow.name, version));
  const { data: versions = [] } = useQuery(versionsQuery(workflow.name));

  const refused = useRefusal("build");
  const draft = useDrafts((state) => state.drafts[workflow.name]);

  const saved = graph?.graphs.find((one) => one.id === (path.at(-1) ?? "")) ?? graph?.graphs[0];
  const editable = version === undefined && refused === undefined;
  const edits = (editable ? draft?.edits : undefined) ?? NO_EDITS;
  const edited = useMemo(() => (saved === undefined ? null : applyEdits(saved, edits)), [saved, edits]);
  const canvas = edited?.canvas;
  const found = useMemo(() => (graph && canvas ? searchNodes(canvas, graph, search) : null), [graph, canvas, search]);
  const node = canvas?.nodes.find((one) => one.id === selected) ?? null;

  if (isPending) return <Loading className="p-4 md:p-6" />;
  if (error !== null || canvas === undefined) {
    return (
      <div className="p-4 md:p-6">
        <LoadError error={error} retry={refetch} />
      </div>
    );
  }

  const open = (inner: CanvasNode) => {
    if (inner.subgraph == null) return;
    setPath([...path, inner.subgraph]);
    setSelected(null);
  };
  const select = (id: string | null, keys = false) => {
    setSelected(id);
    setWithKeys(keys);
  };
  const close = () => {
    const card = withKeys && document.querySelector<HTMLElement>(`.react-flow__node-card[data-node="${CSS.escape(selected ?? "")}"]`);
    setSelected(null);
    if (card) card.focus();
  };
  const names = new Map(graph.graphs.map((one) => [one.id, one.name]));
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex flex-wrap items-center gap-2 px-4 py-2 md:px-6">
        <div className="relative w-full sm:w-64">
          <Search className="pointer-events-none absolute top-2 left-2.5 size-4 text-muted-foreground" />
          <Input type="search" aria-label="Search nodes" placeholder="Search nodes, types, values" className="pl-8" value={search} onChange={(e) => setSearch(e.target.value)} />
        </div>
        <span className="text-[0.84rem] text-muted-foreground tabular-nums" role="status">
          {found === null ? count(canvas.nodes.length, "node") : `${found.size} of ${count(canvas.nodes.length, "node")}`}
        </span>
        {path.length > 0 && (
          <nav aria-label="Subgraphs" className="flex min-w-0 items-center gap-0.5 text-[0.84rem]">
            <Button variant="link" size="sm" className="px-1" onClick={() => setPath([])}>
              {workflow.name}
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
        <div className="flex-1" />
        {versions.length > 0 && (
          <NativeSelect
            aria-label="Which version"
            className="w-auto max-w-44"
            value={version ?? ""}
            onChange={(e) => setVersion(e.target.value === "" ? undefined : Number(e.target.value))}
          >
            <option value="">{workflow.folder === null ? "Newest version" : "Working folder"}</option>
            {versions.map((one) => (
              <option key={one.version} value={one.version}>
                Version {one.version}
              </option>
            ))}
          </NativeSelect>
        )}
        <div className="flex rounded-md border border-input bg-card p-0.5" role="group" aria-label="Form">
          <Button variant={asTable ? "ghost" : "secondary"} size="icon-sm" aria-label="Graph" aria-pressed={!asTable} onClick={() => setAsTable(false)}>
            <Workflow />
          </Button>
          <Button variant={asTable ? "secondary" : "ghost"} size="icon-sm" aria-label="Table" aria-pressed={asTable} onClick={() => setAsTable(true)}>
            <Table2 />
          </Button>
        </div>
      </div>
      {asTable ? (
        <NodeTable canvas={canvas} graph={graph} found={found} onOpen={open} />
      ) : (
        <div className="relative min-h-[60vh] flex-1 border-t">
          <GraphView key={`${canvas.id}-${version ?? ""}`} canvas={canvas} graph={graph} found={found} marks={edited?.marks ?? NO_MARKS} onSelect={select} onOpen={open} />
          {node !== null && (
            <NodeDetails node={node} graph={graph} takesFocus={withKeys} note={version === undefined ? refused : undefined} onClose={close} onOpen={open}>
              {editable ? (
                <NodeValues key={node.id} workflow={workflow.name} graph={graph} canvas={canvas.id} node={node} edits={edits} base={draft?.base ?? graph.base} />
              ) : undefined}
            </NodeDetails>
          )}
        </div>
      )}
      {editable && draft !== undefined && (
        <div className="sticky bottom-0 z-20 bg-background">
          <EditBar workflow={workflow.name} draft={draft} base={graph.base} />
        </div>
      )}
    </div>
  );
}
