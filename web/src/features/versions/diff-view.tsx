import { useQuery } from "@tanstack/react-query";
import { ArrowRight, List, Workflow } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { diffQuery, imageQuery } from "@/api/queries";
import type { DiffResult, LogEntry, Moved } from "@/api/schema";
import { LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { NativeSelect } from "@/components/ui/input";
import { ComparedOutputs } from "@/features/compare/compared-outputs";
import { cn } from "@/lib/cn";
import { count, formatSize } from "@/lib/format";

const ComparedGraph = lazy(() => import("@/features/compare/compared-graph"));

type Props = { name: string; versions: LogEntry[]; pair: [number, number]; onChange: (pair: [number, number]) => void };

/** What changed between two versions: nodes, parameters, packs, packages, layers. */
export function DiffView({ name, versions, pair, onChange }: Props) {
  const { data: diff, error, refetch, isPending } = useQuery(diffQuery(name, pair[0], pair[1]));
  const [asGraph, setAsGraph] = useState(false);
  return (
    <div className="min-h-[34rem] rounded-b-lg border border-t-0 bg-muted/40 p-3 sm:min-h-[26rem]">
      <div className="mb-3 flex flex-wrap items-center gap-2 text-[0.86rem]">
        <span>Since</span>
        <NativeSelect aria-label="The version before" className="h-7 w-auto" value={pair[0]} onChange={(e) => onChange([Number(e.target.value), pair[1]])}>
          {versions
            .filter((one) => one.version !== pair[1])
            .map((one) => (
              <option key={one.version} value={one.version}>
                version {one.version}
              </option>
            ))}
        </NativeSelect>
        <div className="flex-1" />
        <div className="flex rounded-md border border-input bg-card p-0.5" role="group" aria-label="Form of the comparison">
          <Button variant={asGraph ? "ghost" : "secondary"} size="sm" className="h-6" aria-pressed={!asGraph} onClick={() => setAsGraph(false)}>
            <List /> List
          </Button>
          <Button variant={asGraph ? "secondary" : "ghost"} size="sm" className="h-6" aria-pressed={asGraph} onClick={() => setAsGraph(true)}>
            <Workflow /> Graph
          </Button>
        </div>
      </div>
      {asGraph ? (
        <Suspense fallback={<Loading rows={8} />}>
          <ComparedGraph name={name} pair={pair} />
        </Suspense>
      ) : isPending ? (
        <Loading rows={3} />
      ) : error !== null ? (
        <LoadError error={error} retry={refetch} />
      ) : (
        <Changes diff={diff} />
      )}
      <ImageComparison name={name} pair={pair} />
      <ComparedOutputs key={pair.join()} name={name} pair={pair} />
    </div>
  );
}

function Changes({ diff }: { diff: DiffResult }) {
  const { nodes } = diff;
  if (diff.empty) return <p className="text-muted-foreground">Nothing changed that an image is made from.</p>;
  const moved: [string, Moved[]][] = [
    ["Settings", diff.settings],
    ["ComfyUI", diff.comfyui],
    ["Node packs", diff.packs],
    ["Python packages", diff.packages],
    ["Debian packages", diff.debian],
    ["Models", diff.models],
    ["Gateway", diff.gateway],
  ];
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      {((nodes.added ?? []).length > 0 || (nodes.removed ?? []).length > 0) && (
        <Block title="Nodes">
          {(nodes.added ?? []).map((node) => (
            <Row key={`+${node.id}`} sign="+" name={node.title || node.type} rest={node.type} />
          ))}
          {(nodes.removed ?? []).map((node) => (
            <Row key={`-${node.id}`} sign="−" name={node.title || node.type} rest={node.type} />
          ))}
        </Block>
      )}
      {(nodes.parameters ?? []).length > 0 && (
        <Block title="Parameters">
          {(nodes.parameters ?? []).map((change) => (
            <Row key={`${change.node}-${change.input}`} sign="~" name={`${change.title || change.type} · ${change.input}`} old={show(change.old)} now={show(change.new)} />
          ))}
        </Block>
      )}
      {([...(nodes.rewired ?? [])].length > 0 || (nodes.retyped ?? []).length > 0 || (nodes.switched ?? []).length > 0) && (
        <Block title="Links, types and modes">
          {(nodes.rewired ?? []).map((change) => (
            <Row key={`${change.node}-${change.input}`} sign="~" name={`${change.title || change.type} · ${change.input}`} old={show(change.old)} now={show(change.new)} />
          ))}
          {[...(nodes.retyped ?? []), ...(nodes.switched ?? [])].map((change) => (
            <Row key={`${change.node}-${change.new}`} sign="~" name={change.title} old={change.old} now={change.new} />
          ))}
        </Block>
      )}
      {moved
        .filter(([, all]) => all.length > 0)
        .map(([title, all]) => (
          <Block key={title} title={title}>
            {all.map((one) => (
              <Row
                key={one.name}
                sign={one.old === null ? "+" : one.new === null ? "−" : "~"}
                name={one.name}
                {...(one.old === null || one.new === null ? { rest: one.new ?? one.old ?? "" } : { old: one.old, now: one.new })}
              />
            ))}
          </Block>
        ))}
    </div>
  );
}

/** The layers of the newer image: which the other has too, and what a push to its registry sends. */
function ImageComparison({ name, pair }: { name: string; pair: [number, number] }) {
  const { data: image, error, isPending } = useQuery(imageQuery(name, pair[1], pair[0]));
  // A version that was never built has no image: there is nothing to say of it.
  if (error !== null || isPending) return null;
  const fresh = image.layers.filter((layer) => !layer.shared);
  const share = image.size > 0 ? Math.round((1 - (image.new_size ?? 0) / image.size) * 100) : 0;
  return (
    <section className="mt-4" aria-label="Layers">
      <h3 className="mb-1 text-[0.78rem] font-medium text-muted-foreground">Image, {image.platform}</h3>
      <div className="rounded-md border bg-card px-2.5 py-1.5 text-[0.86rem]">
        {image.before === null ? (
          <p>Version {pair[0]} has no image here to compare its layers with.</p>
        ) : (
          <p className="flex flex-wrap items-baseline gap-x-3">
            <span>{count(image.layers.length - fresh.length, "layer")} shared</span>
            <span>{fresh.length === 0 ? "none new" : `${fresh.length} new: ${fresh.map((layer) => layer.name || "unnamed").join(", ")}`}</span>
            <span className="ml-auto text-muted-foreground tabular-nums">
              {image.new_size === null
                ? "bytes to push unknown: the image is not here any more"
                : `${formatSize(image.new_size)} of ${formatSize(image.size)} to push${share >= 100 && image.new_size > 0 ? ", nearly all is there already" : share > 0 ? `, ${share} % are there already` : ""}`}
            </span>
          </p>
        )}
      </div>
    </section>
  );
}

function show(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function Block({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section className="min-w-0">
      <h3 className="mb-1 text-[0.78rem] font-medium text-muted-foreground">{title}</h3>
      <ul className="overflow-hidden rounded-md border bg-card">{children}</ul>
    </section>
  );
}

const SIGNS = { "+": ["text-success", "added"], "−": ["text-destructive", "removed"], "~": ["text-info", "changed"] } as const;

function Row({ sign, name, rest, old, now }: { sign: keyof typeof SIGNS; name: string; rest?: string; old?: string; now?: string }) {
  return (
    <li className="flex min-w-0 items-baseline gap-2 border-b px-2 py-1 text-[0.84rem] last:border-0">
      <span className={cn("w-3 shrink-0 font-mono font-semibold", SIGNS[sign][0])} aria-label={SIGNS[sign][1]}>
        {sign}
      </span>
      <span className="min-w-0 shrink-0 basis-2/5 break-words">{name}</span>
      {now === undefined ? (
        <span className="min-w-0 flex-1 truncate text-right text-muted-foreground">{rest}</span>
      ) : (
        <span className="flex min-w-0 flex-1 flex-wrap items-baseline justify-end gap-x-1.5">
          <del className="line-clamp-3 break-words text-muted-foreground no-underline">{old}</del>
          <ArrowRight className="size-3 shrink-0 self-center text-muted-foreground" aria-label="becomes" />
          <ins className="line-clamp-3 break-words no-underline">{now}</ins>
        </span>
      )}
    </li>
  );
}
