import { ArrowDown, ArrowUp, TriangleAlert } from "lucide-react";
import { Link, useLocation } from "wouter";
import type { WorkflowEntry } from "@/api/schema";
import { WorkflowState } from "@/components/state-badge";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { cn } from "@/lib/cn";
import { formatAgo, formatSize, formatTime, shortDigest } from "@/lib/format";
import type { Sort, SortKey } from "./filter";

type Props = { workflows: WorkflowEntry[]; sort: Sort; onSort: (sort: Sort) => void };

export function WorkflowTable({ workflows, sort, onSort }: Props) {
  const [, navigate] = useLocation();
  const head = (by: SortKey, text: string, className = "") => (
    <TableHead className={className} aria-sort={sort.by === by ? (sort.descending ? "descending" : "ascending") : "none"}>
      <button
        type="button"
        className="inline-flex items-center gap-1 rounded-sm outline-none hover:text-foreground focus-visible:ring-2 focus-visible:ring-ring"
        onClick={() => onSort({ by, descending: sort.by === by ? !sort.descending : by !== "name" })}
      >
        {text}
        {sort.by === by && (sort.descending ? <ArrowDown className="size-3" /> : <ArrowUp className="size-3" />)}
      </button>
    </TableHead>
  );
  return (
    <Table>
      <TableHeader>
        <TableRow>
          {head("name", "Name")}
          <TableHead>State</TableHead>
          {head("versions", "Versions", "hidden text-right sm:table-cell")}
          {head("size", "Image", "hidden text-right md:table-cell")}
          <TableHead className="hidden lg:table-cell">Digest</TableHead>
          <TableHead className="hidden md:table-cell">ComfyUI</TableHead>
          {head("changed_at", "Changed", "text-right")}
        </TableRow>
      </TableHeader>
      <TableBody>
        {workflows.map((one) => (
          <TableRow key={one.name} className="h-10 cursor-default hover:bg-accent/50" onClick={() => navigate(`/workflows/${one.name}`)}>
            <TableCell className="max-w-48 truncate font-medium sm:max-w-80">
              <Link href={`/workflows/${one.name}`} className="rounded-sm outline-none hover:underline focus-visible:ring-2 focus-visible:ring-ring" onClick={(e) => e.stopPropagation()}>
                {one.name}
              </Link>
              {one.problem !== null && (
                <TriangleAlert className="ml-1.5 inline size-4 text-warning" aria-label={one.problem}>
                  <title>{one.problem}</title>
                </TriangleAlert>
              )}
            </TableCell>
            <TableCell>
              <WorkflowState state={one.state} />
            </TableCell>
            <TableCell className="hidden text-right tabular-nums sm:table-cell">{one.versions || "–"}</TableCell>
            <TableCell className={cn("hidden text-right tabular-nums md:table-cell", one.size === null && "text-muted-foreground")}>
              {one.size === null ? "–" : formatSize(one.size)}
            </TableCell>
            <TableCell className="hidden text-muted-foreground lg:table-cell">
              <code className="text-[0.8rem]">{one.manifest_digest === null ? "–" : shortDigest(one.manifest_digest)}</code>
            </TableCell>
            <TableCell className="hidden text-muted-foreground tabular-nums md:table-cell">{one.comfyui_version ?? "–"}</TableCell>
            <TableCell className="text-right whitespace-nowrap text-muted-foreground" title={formatTime(one.changed_at)}>
              {formatAgo(one.changed_at)}
            </TableCell>
          </TableRow>
        ))}
      </TableBody>
    </Table>
  );
}
