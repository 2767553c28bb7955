import { Download } from "lucide-react";
import type { NeededModel } from "@/api/schema";
import { FixText } from "@/components/fix-line";
import { Section } from "@/components/section";
import { Badge, type BadgeVariant } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { formatSize } from "@/lib/format";

const STATES: Record<NeededModel["state"], [BadgeVariant, string]> = {
  present: ["success", "here"],
  missing: ["warning", "not here"],
  unpinned: ["outline", "not pinned"],
};

/** The models of a workflow; they stay outside the image. `pull` fetches those that are missing. */
export function ModelTable({ models, pull, refused, locked }: { models: NeededModel[]; pull: (() => void) | null; refused: string | undefined; locked: boolean }) {
  if (models.length === 0) {
    return (
      <Section title="Models">
        <p className="text-muted-foreground">It needs none.</p>
      </Section>
    );
  }
  const missing = models.filter((one) => one.state === "missing");
  const size = missing.reduce((sum, one) => sum + (one.size ?? 0), 0);
  return (
    <Section
      title="Models"
      count={models.length}
      actions={
        pull !== null &&
        missing.length > 0 && (
          <Button variant="outline" onClick={pull} refused={refused}>
            <Download /> Fetch {missing.length}
            {size > 0 && `, ${formatSize(size)}`}
          </Button>
        )
      }
    >
      <Table>
        <TableHeader>
          <TableRow>
            <TableHead>Model</TableHead>
            <TableHead>State</TableHead>
            <TableHead className={locked ? "text-right" : "hidden"}>Size</TableHead>
            {locked && <TableHead className="hidden md:table-cell">What to do</TableHead>}
          </TableRow>
        </TableHeader>
        <TableBody>
          {models.map((one) => (
            <TableRow key={`${one.folder}/${one.name}`}>
              <TableCell className="max-w-80 [overflow-wrap:anywhere]">
                {one.folder !== null && <span className="text-muted-foreground">{one.folder}/</span>}
                {one.name} {one.pickle && <Badge variant="warning" title="it can run code when it is loaded">pickle</Badge>}
              </TableCell>
              <TableCell>
                <Badge variant={STATES[one.state][0]}>{STATES[one.state][1]}</Badge>
              </TableCell>
              <TableCell className={locked ? "text-right whitespace-nowrap tabular-nums" : "hidden"}>{one.size == null ? "–" : formatSize(one.size)}</TableCell>
              {locked && (
                <TableCell className="hidden max-w-96 text-[0.84rem] break-words text-muted-foreground md:table-cell">
                  {one.why === "" ? "–" : one.why}
                  {one.fix !== "" && <FixText text={one.fix} />}
                </TableCell>
              )}
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </Section>
  );
}
