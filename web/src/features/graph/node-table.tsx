import type { Canvas, CanvasNode, GraphResult } from "@/api/schema";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { cn } from "@/lib/cn";
import { packOf } from "./layout";

const MAX_ROWS = 1000;

type Props = { canvas: Canvas; graph: GraphResult; found: ReadonlySet<string> | null; onOpen: (node: CanvasNode) => void };

/** The nodes as a table: all that the graph shows, for those who would rather read. */
export function NodeTable({ canvas, graph, found, onOpen }: Props) {
  const nodes = canvas.nodes.filter((node) => found === null || found.has(node.id));
  const titles = new Map(canvas.nodes.map((node) => [node.id, node.title]));
  const sources = new Map<string, string[]>();
  for (const link of canvas.links) {
    const from = `${titles.get(link.source) ?? link.source}`;
    sources.set(link.target, [...(sources.get(link.target) ?? []), from]);
  }
  return (
    <div className="px-4 pb-6 md:px-6">
      <Table>
        <TableHeader>
          <TableRow>
            <TableHead className="text-right">Id</TableHead>
            <TableHead>Title</TableHead>
            <TableHead className="hidden sm:table-cell">Type</TableHead>
            <TableHead>Node pack</TableHead>
            <TableHead className="hidden lg:table-cell">Takes from</TableHead>
            <TableHead className="hidden md:table-cell">Values</TableHead>
          </TableRow>
        </TableHeader>
        <TableBody>
          {nodes.slice(0, MAX_ROWS).map((node) => (
            <TableRow key={node.id} className={cn(node.mode !== "runs" && "text-muted-foreground")}>
              <TableCell className="text-right font-mono text-[0.8rem] text-muted-foreground">{node.id}</TableCell>
              <TableCell className="max-w-56 font-medium">
                <span className="break-words">{node.title}</span> {node.mode !== "runs" && <Badge variant="warning">{node.mode}</Badge>}
                {node.subgraph !== null && (
                  <Button variant="link" size="sm" className="h-5 px-1" onClick={() => onOpen(node)}>
                    step in
                  </Button>
                )}
              </TableCell>
              <TableCell className="hidden max-w-48 truncate sm:table-cell">
                <code className="text-[0.8rem]">{node.subgraph === null ? node.type : "subgraph"}</code>
              </TableCell>
              <TableCell className="max-w-40 truncate">{packOf(node.type, graph) ?? "–"}</TableCell>
              <TableCell className="hidden max-w-64 truncate text-muted-foreground lg:table-cell">{sources.get(node.id)?.join(", ") ?? "–"}</TableCell>
              <TableCell className="hidden max-w-80 truncate text-muted-foreground md:table-cell">
                {node.values.map((value) => (value.name === "" ? value.text : `${value.name} ${value.text}`)).join(" · ") || "–"}
              </TableCell>
            </TableRow>
          ))}
          {nodes.length === 0 && (
            <TableRow>
              <TableCell colSpan={6} className="py-6 text-center text-muted-foreground">
                No node has that in its title, type or values.
              </TableCell>
            </TableRow>
          )}
        </TableBody>
      </Table>
      {nodes.length > MAX_ROWS && (
        <p className="mt-2 text-muted-foreground">
          The first {MAX_ROWS.toLocaleString("en")} of {nodes.length.toLocaleString("en")} nodes: search to see others.
        </p>
      )}
    </div>
  );
}
