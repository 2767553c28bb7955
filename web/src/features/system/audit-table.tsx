import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { auditQuery } from "@/api/system-queries";
import type { AuditEntry } from "@/api/schema";
import { LoadError, Loading } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { formatAgo, formatTime } from "@/lib/format";
import { describeAction, statusOf } from "./audit";

const FIRST = 50;
const ALL = 1000;

/** Who did what on a server that several people use, newest first. */
export function AuditTable() {
  const [count, setCount] = useState(FIRST);
  const [search, setSearch] = useState("");
  const { data, error, refetch, isPending } = useQuery(auditQuery(count));
  const shown = useMemo(() => (data ?? []).filter((one) => matches(one, search)), [data, search]);
  if (isPending) return <Loading rows={5} />;
  if (error !== null) return <LoadError error={error} retry={refetch} />;
  if (data.length === 0) {
    return (
      <p className="rounded-lg border border-dashed px-4 py-6 text-center text-muted-foreground">
        Nothing is written down yet. With <code>pycomfy serve --auth FILE</code> each change, sign-in and refusal is a line here.
      </p>
    );
  }
  return (
    <div className="space-y-2">
      <Input type="search" aria-label="Search the log" placeholder="User, action or address" className="sm:w-64" value={search} onChange={(e) => setSearch(e.target.value)} />
      <Table>
        <TableHeader>
          <TableRow>
            <TableHead>When</TableHead>
            <TableHead>Who</TableHead>
            <TableHead>What</TableHead>
            <TableHead className="hidden sm:table-cell">Answer</TableHead>
            <TableHead className="hidden md:table-cell">From</TableHead>
          </TableRow>
        </TableHeader>
        <TableBody>
          {shown.map((one, at) => (
            <TableRow key={at} className="align-top">
              <TableCell className="whitespace-nowrap text-muted-foreground" title={formatTime(one.at)}>
                <time dateTime={one.at}>{formatAgo(one.at)}</time>
              </TableCell>
              <TableCell className="max-w-40 break-words">
                {one.user === "" ? <span className="text-muted-foreground">{one.role === "owner" ? "owner" : "not known"}</span> : one.user}
                {one.user !== "" && <span className="ml-1.5 text-[0.8rem] text-muted-foreground">{one.role}</span>}
              </TableCell>
              <TableCell className="[overflow-wrap:anywhere]">
                <span title={one.action}>{describeAction(one)}</span>
                {one.status >= 400 && <Badge variant="warning" className="ml-2 sm:hidden">{statusOf(one.status)}</Badge>}
              </TableCell>
              <TableCell className="hidden whitespace-nowrap sm:table-cell">
                <Badge variant={one.status >= 500 ? "destructive" : one.status >= 400 ? "warning" : "outline"} title={`status ${one.status}`}>
                  {statusOf(one.status)}
                </Badge>
              </TableCell>
              <TableCell className="hidden text-muted-foreground tabular-nums md:table-cell">{one.address}</TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
      {shown.length === 0 && <p className="text-muted-foreground">No entry has that in it.</p>}
      {count === FIRST && data.length === FIRST && (
        <Button variant="outline" size="sm" onClick={() => setCount(ALL)}>
          Show older ones
        </Button>
      )}
    </div>
  );
}

function matches(entry: AuditEntry, search: string): boolean {
  const wanted = search.trim().toLowerCase();
  return wanted === "" || `${entry.user} ${describeAction(entry)} ${entry.action} ${entry.address}`.toLowerCase().includes(wanted);
}
