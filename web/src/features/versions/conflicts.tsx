import { Fragment, useId } from "react";
import type { Side } from "@/api/version-queries";
import type { Conflict } from "@/api/schema";
import { Button } from "@/components/ui/button";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { OTHERS, keyOf, type Choices } from "./choices";

type Props = { conflicts: readonly Conflict[]; here: string; there: string; choices: Choices; onChoose: (choices: Choices) => void };

/** What both sides changed, a node or a pin each, and which side counts for it. Pins and files have one side together. */
export function Conflicts({ conflicts, here, there, choices, onChoose }: Props) {
  const id = useId();
  const all = (side: Side) => onChoose(Object.fromEntries(conflicts.map((one) => [keyOf(one), side])));
  const isShared = conflicts.filter((one) => keyOf(one) === OTHERS).length > 1;
  const head = (side: Side, name: string) => (
    <TableHead>
      <span className="flex items-center gap-2">
        <span className="min-w-0 truncate">{name}</span>
        {conflicts.length > 1 && (
          <Button variant="link" size="sm" className="h-6 px-0" onClick={() => all(side)} aria-label={`Take all of ${name}`}>
            take all
          </Button>
        )}
      </span>
    </TableHead>
  );
  const cell = (one: Conflict, side: Side, lines: readonly string[], name: string) => (
    <TableCell className="w-1/2 p-0 align-top [overflow-wrap:anywhere] hover:bg-accent/50 has-[:checked]:bg-accent">
      <label className="flex items-start gap-2 px-3 pt-0.5 pb-2">
        <input
          type="radio"
          className="mt-1 shrink-0 accent-primary"
          name={`${id}-${one.subject}`}
          aria-label={`${one.subject}: ${name}`}
          checked={choices[keyOf(one)] === side}
          onChange={() => onChoose({ ...choices, [keyOf(one)]: side })}
        />
        {lines.length === 0 ? (
          "changed"
        ) : (
          <ul>
            {lines.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        )}
      </label>
    </TableCell>
  );
  return (
    <section aria-label="Conflicts">
      <h3 className="mb-1 text-[0.84rem] font-medium text-warning">Both changed the same: which side counts?</h3>
      <Table>
        <TableHeader>
          <TableRow>
            {head("ours", here)}
            {head("theirs", there)}
          </TableRow>
        </TableHeader>
        <TableBody>
          {conflicts.map((one) => (
            <Fragment key={one.subject}>
              <TableRow className="border-0">
                <th scope="colgroup" colSpan={2} className="px-3 pt-1.5 text-left font-medium [overflow-wrap:anywhere]">
                  {one.subject}
                </th>
              </TableRow>
              <TableRow>
                {cell(one, "ours", one.here ?? [], here)}
                {cell(one, "theirs", one.there ?? [], there)}
              </TableRow>
            </Fragment>
          ))}
        </TableBody>
      </Table>
      {isShared && <p className="mt-1 text-[0.8rem] text-muted-foreground">What is no node is taken from one side together.</p>}
    </section>
  );
}
