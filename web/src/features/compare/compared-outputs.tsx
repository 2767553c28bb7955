import { useQuery } from "@tanstack/react-query";
import { Play } from "lucide-react";
import { useState } from "react";
import { useStartOperation } from "@/api/queries";
import { runsQuery } from "@/api/run-queries";
import type { RunEntry } from "@/api/schema";
import { useRefusal } from "@/api/session";
import { Button } from "@/components/ui/button";
import { NativeSelect } from "@/components/ui/input";
import { formatAgo } from "@/lib/format";
import { picturesOf } from "@/lib/pictures";
import { BeforeAfter } from "./before-after";
import { givenTo, matchRuns, sidesOf } from "./outputs";

/** What two versions made, one over the other with a slider between them. */
export function ComparedOutputs({ name, pair }: { name: string; pair: [number, number] }) {
  const { data: runs } = useQuery(runsQuery(name));
  const [chosen, setChosen] = useState<(number | undefined)[]>([]);
  if (runs === undefined) return null;
  const sides = sidesOf(runs, pair);
  const match = matchRuns(sides);
  if (match === null) return <NoOutputs name={name} pair={pair} missing={pair.filter((_, at) => sides[at]?.length === 0)} />;
  const shown = match.map((run, at) => sides[at]?.find((one) => one.run === chosen[at]) ?? run) as [RunEntry, RunEntry];
  const [old, now] = shown.map(picturesOf);
  const count = Math.min(old?.length ?? 0, now?.length ?? 0, 4);
  return (
    <section className="mt-4" aria-label="Outputs">
      <h3 className="mb-1 text-[0.78rem] font-medium text-muted-foreground">Outputs</h3>
      <div className="mb-2 flex flex-wrap items-center gap-x-4 gap-y-1 text-[0.84rem]">
        {shown.map((run, at) => (
          <label key={at} className="flex min-w-0 items-center gap-1.5">
            version {pair[at]}
            <NativeSelect className="h-7 w-auto max-w-56" value={run.run} onChange={(e) => setChosen((was) => (at === 0 ? [Number(e.target.value), was[1]] : [was[0], Number(e.target.value)]))}>
              {(sides[at] ?? []).map((one) => (
                <option key={one.run} value={one.run}>
                  run {one.run}, {formatAgo(one.started_at)}
                </option>
              ))}
            </NativeSelect>
          </label>
        ))}
        <span className="text-muted-foreground">{givenTo(shown[0]) === givenTo(shown[1]) ? "with the same inputs" : "with different inputs"}</span>
      </div>
      <div className="grid gap-3 lg:grid-cols-2">
        {Array.from({ length: count }, (_, at) => {
          const [before, after] = [old?.[at], now?.[at]];
          return before === undefined || after === undefined ? null : <BeforeAfter key={`${before.url} ${after.url}`} before={before} after={after} labels={[`version ${pair[0]}`, `version ${pair[1]}`]} />;
        })}
      </div>
    </section>
  );
}

function NoOutputs({ name, pair, missing }: { name: string; pair: [number, number]; missing: number[] }) {
  const start = useStartOperation();
  const refused = useRefusal("run");
  const run = async () => {
    for (const version of missing) await start.mutateAsync({ kind: "run", workflow: `${name}@${version}`, inputs: {} }).catch(() => null);
  };
  return (
    <section className="mt-4" aria-label="Outputs">
      <h3 className="mb-1 text-[0.78rem] font-medium text-muted-foreground">Outputs</h3>
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1 rounded-md border bg-card px-2.5 py-1.5 text-[0.86rem]">
        <span className="flex-1">
          {missing.length === 2 ? `The versions ${pair[0]} and ${pair[1]} have` : `Version ${missing[0]} has`} no run with a picture to look at side by side.
        </span>
        {start.isSuccess ? (
          <span role="status" className="text-muted-foreground">
            Started; the pictures appear here.
          </span>
        ) : (
          <Button variant="outline" size="sm" disabled={start.isPending} refused={refused} onClick={() => void run()}>
            <Play /> Run {missing.length === 2 ? "both" : `version ${missing[0]}`}
          </Button>
        )}
      </p>
    </section>
  );
}
