import { useQuery } from "@tanstack/react-query";
import { ArrowRight } from "lucide-react";
import { diffQuery } from "@/api/queries";
import type { DiffResult, LogEntry, Moved } from "@/api/schema";
import { LoadError, Loading } from "@/components/states";
import { NativeSelect } from "@/components/ui/input";
import { cn } from "@/lib/cn";
import { count, formatSize } from "@/lib/format";

type Props = { name: string; versions: LogEntry[]; pair: [number, number]; onChange: (pair: [number, number]) => void };

/** What changed between two versions: nodes, parameters, packs, packages, layers. */
export function DiffView({ name, versions, pair, onChange }: Props) {
  const { data: diff, error, refetch, isPending } = useQuery(diffQuery(name, pair[0], pair[1]));
  return (
    <div className="rounded-b-lg border border-t-0 bg-muted/40 p-3">
      <div className="mb-3 flex items-center gap-2 text-[0.86rem]">
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
      </div>
      {isPending ? <Loading rows={3} /> : error !== null ? <LoadError error={error} retry={refetch} /> : <Changes diff={diff} />}
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
      {diff.images.map((image) => (
        <Block key={image.platform} title={`Image, ${image.platform}`}>
          <li className="px-2 py-1 text-[0.84rem]">
            {count(image.shared, "layer")} shared, {image.added.length} new, {image.removed.length} gone; {formatSize(image.old_size)} → {formatSize(image.new_size)}
          </li>
          {image.added.map((layer) => (
            <Row key={layer} sign="+" name={layer} rest="layer" />
          ))}
        </Block>
      ))}
    </div>
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
