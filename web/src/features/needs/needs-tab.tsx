import { useQuery } from "@tanstack/react-query";
import { Lock, PackageSearch } from "lucide-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { needsQuery, useStartOperation } from "@/api/queries";
import { useRefusal } from "@/api/session";
import type { NeedsResult } from "@/api/schema";
import { Copyable } from "@/components/copy-button";
import { Section } from "@/components/section";
import { EmptyState, LoadError, Loading } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Input, NativeSelect } from "@/components/ui/input";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { count, formatSize } from "@/lib/format";
import { ModelTable } from "./model-table";

/** Node packs, models and packages: pinned by the lock, or named by the file alone. */
export default function NeedsTab({ name }: { name: string }) {
  const [, navigate] = useLocation();
  const { data: needs, error, refetch, isPending } = useQuery(needsQuery(name));
  const start = useStartOperation();
  const refused = useRefusal("build");
  if (isPending) return <Loading className="p-4 md:p-6" />;
  if (error !== null) {
    return (
      <div className="p-4 md:p-6">
        <LoadError error={error} retry={refetch} />
      </div>
    );
  }
  const run = async (kind: "lock" | "models-pull") => {
    const operation = await start.mutateAsync(kind === "lock" ? { kind, workflow: name, packs: [], prefer: [], update: [] } : { kind, workflow: name });
    navigate(`/workflows/${name}/builds/${operation.id}`);
  };
  const isLocked = needs.comfyui_version != null;
  const lockButton = (
    <Button variant={isLocked ? "outline" : "default"} onClick={() => void run("lock")} disabled={start.isPending} refused={refused}>
      <Lock /> {isLocked ? "Lock again" : "Pin everything"}
    </Button>
  );
  return (
    <div className="mx-auto w-full max-w-6xl space-y-6 p-4 md:p-6">
      {isLocked ? (
        <>
          {!needs.locked && (
            <div role="status" className="flex flex-wrap items-center gap-3 rounded-lg border border-warning/30 bg-warning/5 px-3 py-2">
              <span className="flex-1">The workflow has changed since it was locked. The next build locks it again.</span>
              {lockButton}
            </div>
          )}
          <Facts needs={needs} />
          <Code needs={needs} />
        </>
      ) : (
        <EmptyState icon={PackageSearch} title="Nothing is pinned yet" action={lockButton}>
          <p>
            Its file names {count(needs.types.length, "node type")} and {count(needs.models.length, "model")}. Pinning finds
            the node packs, and writes down every package by its hash.
          </p>
        </EmptyState>
      )}
      <ModelTable models={needs.models} pull={isLocked ? () => void run("models-pull") : null} refused={refused} locked={isLocked} />
      {needs.files.length > 0 && (
        <Section title="Input files" count={needs.files.length}>
          <ul className="flex min-w-0 flex-wrap gap-1.5 [&>li]:max-w-full">
            {needs.files.map((file) => (
              <li key={`${file.node}-${file.input}`}>
                <Badge variant="outline" className="max-w-full">
                  <span className="truncate text-foreground" title={file.name}>
                    {file.name}
                  </span>{" "}
                  node {file.node}
                </Badge>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {isLocked && <Packages packages={needs.packages ?? {}} />}
      {!isLocked && needs.types.length > 0 && (
        <Section title="Node types" count={needs.types.length}>
          <ul className="flex min-w-0 flex-wrap gap-1 [&>li]:max-w-full">
            {needs.types.map((type) => (
              <li key={type}>
                <Badge variant="outline" className="max-w-full font-mono" title={type}>
                  <span className="truncate">{type}</span>
                </Badge>
              </li>
            ))}
          </ul>
        </Section>
      )}
    </div>
  );
}

function Facts({ needs }: { needs: NeedsResult }) {
  const debian = Object.values(needs.debian_packages ?? {})[0];
  const facts: [string, string][] = [
    ["ComfyUI", needs.comfyui_version ?? ""],
    ["Python", needs.python ?? ""],
    ["Accelerator", needs.accelerator ?? "as PyTorch's default"],
    ["Packages as of", needs.as_of?.slice(0, 10) ?? ""],
    ["Debian packages", debian === undefined ? "" : String(debian)],
    ["Platforms", Object.keys(needs.packages ?? {}).join(", ")],
  ];
  return (
    <dl className="grid grid-cols-2 gap-x-6 gap-y-3 rounded-lg border bg-card px-4 py-3 sm:grid-cols-3 lg:grid-cols-6">
      {facts.map(([term, value]) => (
        <div key={term} className="min-w-0">
          <dt className="text-[0.78rem] text-muted-foreground">{term}</dt>
          <dd className="break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Code({ needs }: { needs: NeedsResult }) {
  return (
    <Section title="ComfyUI and node packs" count={needs.code?.length ?? 0}>
      <Table>
        <TableHeader>
          <TableRow>
            <TableHead>Name</TableHead>
            <TableHead>Source</TableHead>
            <TableHead className="hidden sm:table-cell">Commit</TableHead>
            <TableHead className="hidden md:table-cell">Node types that are taken from it</TableHead>
          </TableRow>
        </TableHeader>
        <TableBody>
          {(needs.code ?? []).map((one) => (
            <TableRow key={one.name}>
              <TableCell className="font-medium">{one.name}</TableCell>
              <TableCell className="max-w-72 break-words text-muted-foreground">{one.source}</TableCell>
              <TableCell className="hidden sm:table-cell">
                {one.commit === null ? <span className="text-muted-foreground">–</span> : <Copyable text={one.commit} shown={one.commit.slice(0, 12)} label="commit" />}
              </TableCell>
              <TableCell className="hidden max-w-96 text-[0.82rem] text-muted-foreground md:table-cell">{one.types.join(", ") || "–"}</TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </Section>
  );
}

function Packages({ packages }: { packages: NonNullable<NeedsResult["packages"]> }) {
  const platforms = Object.keys(packages);
  const [platform, setPlatform] = useState(platforms[0] ?? "");
  const [search, setSearch] = useState("");
  const all = packages[platform] ?? [];
  const shown = all.filter((one) => one.name.includes(search.toLowerCase().trim()));
  const total = all.reduce((sum, one) => sum + one.size, 0);
  return (
    <Section
      title="Python packages"
      count={all.length}
      note={formatSize(total)}
      actions={
        <>
          <Input type="search" aria-label="Search packages" placeholder="Search" className="w-40" value={search} onChange={(e) => setSearch(e.target.value)} />
          {platforms.length > 1 && (
            <NativeSelect aria-label="Platform" className="w-auto" value={platform} onChange={(e) => setPlatform(e.target.value)}>
              {platforms.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </NativeSelect>
          )}
        </>
      }
    >
      <ul className="grid grid-cols-1 overflow-hidden rounded-lg border bg-card sm:grid-cols-2 lg:grid-cols-3">
        {shown.map((one) => (
          <li key={one.name} className="-mr-px -mb-px flex min-w-0 items-baseline gap-2 border-r border-b px-3 py-1.5 text-[0.86rem]">
            <span className="min-w-0 truncate" title={one.name}>
              {one.name}
            </span>
            <span className="shrink-0 text-[0.8rem] text-muted-foreground">{one.version}</span>
            {one.built && <Badge variant="outline">built here</Badge>}
            <span className="ml-auto shrink-0 text-[0.8rem] text-muted-foreground tabular-nums">{formatSize(one.size)}</span>
          </li>
        ))}
        {shown.length === 0 && <li className="px-3 py-2 text-muted-foreground">No package has that in its name.</li>}
      </ul>
    </Section>
  );
}
