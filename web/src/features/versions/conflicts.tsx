import type { Conflict } from "@/api/schema";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";

/** What both sides changed, a node or a pin each. */
export function Conflicts({ conflicts, here, there }: { conflicts: readonly Conflict[]; here: string; there: string }) {
  return (
    <section aria-label="Conflicts">
      <h3 className="mb-1 text-[0.84rem] font-medium text-warning">Both changed the same</h3>
      <Table>
        <TableHeader>
          <TableRow>
            <TableHead>What</TableHead>
            <TableHead>{here}</TableHead>
            <TableHead>{there}</TableHead>
          </TableRow>
        </TableHeader>
        <TableBody>
          {conflicts.map((one) => (
            <TableRow key={one.subject} className="align-top">
              <TableCell className="font-medium [overflow-wrap:anywhere]">{one.subject}</TableCell>
              <Side lines={one.here ?? []} />
              <Side lines={one.there ?? []} />
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </section>
  );
}

function Side({ lines }: { lines: readonly string[] }) {
  return (
    <TableCell className="[overflow-wrap:anywhere]">
      {lines.length === 0 ? "changed" : null}
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </TableCell>
  );
}
