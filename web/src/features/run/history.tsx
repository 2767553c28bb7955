import { useQuery } from "@tanstack/react-query";
import { FileText, Pencil, RotateCw } from "lucide-react";
import { useState } from "react";
import { runsQuery } from "@/api/run-queries";
import type { RunEntry } from "@/api/schema";
import { Section } from "@/components/section";
import { LoadError, Loading } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { NativeSelect } from "@/components/ui/input";
import { formatAgo, formatDuration, formatTime } from "@/lib/format";
import { picturesOf } from "@/lib/pictures";
import { inputsOf, lostOf } from "./recorded";
import type { Values } from "./values";

const STEP = 12;

type Props = { name: string; versions: readonly number[]; busy: boolean; refused?: string | undefined; onFill: (values: Values) => void; onRun: (version: number, values: Values) => void };

/** The runs that were recorded, with what they were given and what they made; each can be done again. */
export function RunHistory({ name, ...again }: Props) {
  const { data: runs, error, refetch, isPending } = useQuery(runsQuery(name));
  const [shown, setShown] = useState(STEP);
  if (isPending) return <Loading rows={3} />;
  if (error !== null) return <LoadError error={error} retry={refetch} />;
  if (runs.length === 0) return null;
  return (
    <Section title="History" count={runs.length}>
      <ul className="space-y-2">
        {runs.slice(0, shown).map((run) => (
          <li key={run.run} className="flex min-w-0 flex-wrap gap-3 rounded-lg border bg-card p-2.5">
            <Pictures run={run} />
            <div className="min-w-0 flex-1 basis-52 space-y-1">
              <p className="flex flex-wrap items-center gap-x-2 text-[0.86rem]">
                <span className="font-medium">Run {run.run}</span>
                <Badge variant="outline">version {run.version}</Badge>
                {run.error !== null && <Badge variant="destructive">failed</Badge>}
                <span className="text-muted-foreground">
                  <time dateTime={run.started_at} title={formatTime(run.started_at)}>
                    {formatAgo(run.started_at)}
                  </time>
                  , {formatDuration(run.seconds)}
                  {run.device !== null && `, ${run.device}`}
                </span>
              </p>
              <Given run={run} />
              {run.error !== null && <p className="line-clamp-2 text-[0.8rem] break-words text-destructive">{run.error}</p>}
            </div>
            <Again run={run} {...again} />
          </li>
        ))}
      </ul>
      {runs.length > shown && (
        <Button variant="outline" size="sm" className="mt-2" onClick={() => setShown(shown + STEP)}>
          Show older ones
        </Button>
      )}
    </Section>
  );
}

function Pictures({ run }: { run: RunEntry }) {
  const pictures = picturesOf(run);
  const [first] = pictures;
  return (
    <div className="grid size-20 shrink-0 place-items-center overflow-hidden rounded-md bg-canvas">
      {first === undefined ? (
        <FileText className="size-5 text-muted-foreground" aria-hidden />
      ) : (
        <a href={first.url} target="_blank" rel="noreferrer" className="rounded-md outline-none focus-visible:ring-2 focus-visible:ring-ring">
          <img src={first.url} alt={`${first.name} of run ${run.run}`} className="size-20 object-cover" loading="lazy" />
        </a>
      )}
    </div>
  );
}

function Given({ run }: { run: RunEntry }) {
  const given = Object.entries({ ...run.inputs, ...run.files });
  if (given.length === 0) return <p className="text-[0.82rem] text-muted-foreground">the workflow's own values</p>;
  return (
    <dl className="flex flex-wrap gap-x-3 gap-y-0.5 text-[0.82rem]">
      {given.map(([name, value]) => (
        <div key={name} className="flex min-w-0 gap-1">
          <dt className="text-muted-foreground">{name}</dt>
          <dd className="line-clamp-2 min-w-0 break-words">{typeof value === "string" ? (run.files[name] === undefined ? value : value.split("/").pop()) : JSON.stringify(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Again({ run, versions, busy, refused, onFill, onRun }: { run: RunEntry } & Omit<Props, "name">) {
  const lost = lostOf(run);
  const values = inputsOf(run);
  const others = versions.filter((one) => one !== run.version);
  if (lost.length > 0) return <p className="basis-full text-[0.8rem] text-muted-foreground">{lost.join(", ")} came from standard input, which is not kept: it cannot be run again.</p>;
  return (
    <div className="flex flex-wrap items-start gap-1.5">
      <Button variant="outline" size="sm" disabled={busy || !versions.includes(run.version)} refused={refused} onClick={() => onRun(run.version, values)}>
        <RotateCw /> Run again
      </Button>
      <Button variant="outline" size="sm" title="Put its inputs into the form" onClick={() => onFill(values)}>
        <Pencil /> Fill in
      </Button>
      {others.length > 0 && (
        <NativeSelect className="h-7 w-auto max-w-40 text-[0.82rem]" aria-label={`Run ${run.run} on another version`} value="" disabled={busy || refused !== undefined} title={refused} onChange={(e) => onRun(Number(e.target.value), values)}>
          <option value="">On version…</option>
          {others.map((one) => (
            <option key={one} value={one}>
              version {one}
            </option>
          ))}
        </NativeSelect>
      )}
    </div>
  );
}
