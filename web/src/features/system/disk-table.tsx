import { Fragment } from "react";
import type { DiskUsage } from "@/api/schema";
import { FixText } from "@/components/fix-line";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { count, formatSize } from "@/lib/format";

/** What is used for what, and what frees it. */
export function DiskTable({ usage }: { usage: DiskUsage }) {
  const largest = Math.max(1, ...usage.uses.map((one) => one.size ?? 0));
  const uses = [...usage.uses].sort((one, other) => (other.size ?? 0) - (one.size ?? 0));
  return (
    <div className="space-y-3">
      <Table>
        <TableHeader>
          <TableRow>
            <TableHead>What</TableHead>
            <TableHead className="text-right">Size</TableHead>
            <TableHead className="hidden sm:table-cell">Freed by</TableHead>
            <TableHead className="hidden lg:table-cell">Where</TableHead>
          </TableRow>
        </TableHeader>
        <TableBody>
          {uses.map((one) => (
            <TableRow key={`${one.title}-${one.where}`}>
              <TableCell>
                {one.title}
                {one.fixes !== undefined && one.fixes !== "" && (
                  <div className="text-[0.84rem] text-muted-foreground sm:hidden">
                    <FixText text={one.fixes} />
                  </div>
                )}
              </TableCell>
              <TableCell className="text-right align-top tabular-nums sm:w-48 sm:align-middle">
                <span className="flex items-center justify-end gap-2">
                  <span className="hidden h-1.5 flex-1 overflow-hidden rounded-full bg-muted md:block" aria-hidden>
                    <span className="block h-full rounded-full bg-info/50" style={{ width: `${((one.size ?? 0) / largest) * 100}%` }} />
                  </span>
                  <span className="w-18 shrink-0">{one.size === null ? "unknown" : formatSize(one.size)}</span>
                </span>
              </TableCell>
              <TableCell className="hidden text-[0.84rem] text-muted-foreground sm:table-cell">{one.fixes === undefined || one.fixes === "" ? "–" : <FixText text={one.fixes} />}</TableCell>
              <TableCell className="hidden max-w-72 text-[0.8rem] [overflow-wrap:anywhere] text-muted-foreground lg:table-cell">
                <PathText path={one.where} />
              </TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
      <p className="text-[0.88rem]">{formatSize(usage.size)} in all. What has no command beside it is needed.</p>
      {usage.workflows.length > 0 && (
        <ul className="space-y-0.5 text-[0.86rem] text-muted-foreground">
          {usage.workflows.slice(0, 20).map((one) => (
            <li key={one.name}>
              <span className="text-foreground">{one.name}</span>: layers of {count(one.images, "image")}, {formatSize(one.size)}; {formatSize(one.own)} of them no other workflow has
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** A path that is broken between its parts, not within them. */
function PathText({ path }: { path: string }) {
  return path.split("/").map((part, at) => (
    <Fragment key={at}>
      {at > 0 && "/"}
      {at > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}
