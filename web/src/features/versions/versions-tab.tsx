import { useQuery } from "@tanstack/react-query";
import { GitCommitVertical, GitMerge } from "lucide-react";
import { useMemo, useState } from "react";
import { useLocation } from "wouter";
import { versionsQuery } from "@/api/queries";
import type { HistoryEntry, LogEntry, WorkflowEntry } from "@/api/schema";
import { useRefusal } from "@/api/session";
import { historyQuery } from "@/api/version-queries";
import { EmptyState, LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { parsePair } from "@/features/compare/compare";
import { BranchDialog } from "./branch-dialog";
import { DiffView } from "./diff-view";
import { LANE, LaneLines } from "./lane-lines";
import { layLanes } from "./lanes";
import { MergeDialog } from "./merge-dialog";
import { RestoreDialog } from "./restore-dialog";
import { RevertDialog } from "./revert-dialog";
import { TagDialog } from "./tag-dialog";
import { VerifyDialog } from "./verify-dialog";
import { type Asked, OtherRow, VersionRow } from "./version-row";

/** Rows that are shown at first, and with each further step. */
const STEP = 100;

/** The versions of a workflow, newest first, in the history that they share with others; two of them can be compared. */
export default function VersionsTab({ workflow, id }: { workflow: WorkflowEntry; id: string | undefined }) {
  const { name } = workflow;
  const [, navigate] = useLocation();
  const { data: versions, error, refetch, isPending } = useQuery(versionsQuery(name));
  const history = useQuery({ ...historyQuery(name), enabled: (versions ?? []).length > 0 });
  const [asked, setAsked] = useState<Asked | null>(null);
  const [shown, setShown] = useState(STEP);
  const pair = parsePair(id);
  const refused = useRefusal("build");
  const entries = useMemo(() => listEntries(versions ?? [], history.data?.entries), [versions, history.data]);
  const { rows, width } = useMemo(() => layLanes(entries, entries.find((one) => one.newest_of.includes(name))?.commit ?? null), [entries, name]);
  const numbered = useMemo(() => new Map((versions ?? []).map((one) => [one.commit, one])), [versions]);

  if (isPending || history.isLoading) return <Loading className="p-4 md:p-6" />;
  if (error !== null) {
    return (
      <div className="p-4 md:p-6">
        <LoadError error={error} retry={refetch} />
      </div>
    );
  }
  if (versions.length === 0) {
    return (
      <div className="mx-auto w-full max-w-6xl p-4 md:p-6">
        <EmptyState icon={GitCommitVertical} title="No versions yet">
          Each build that changes something becomes a version. It can be compared, and restored after its repositories are gone.
        </EmptyState>
      </div>
    );
  }
  const base = `/workflows/${name}`;
  const setPair = (next: [number, number] | null) => navigate(next === null ? `${base}/versions` : `${base}/versions/${next[0]}..${next[1]}`, { replace: true });
  const compare = (version: number) => setPair(pair?.[1] === version ? null : [Math.max(1, version - 1), version]);
  const close = () => setAsked(null);
  const started = (operation: string) => navigate(`${base}/builds/${operation}`);
  const open = pair === null ? -1 : entries.findIndex((one) => numbered.get(one.commit)?.version === pair[1]);
  return (
    <div className="mx-auto w-full max-w-6xl space-y-3 p-4 md:p-6">
      <div className="flex items-center gap-2">
        <h2 className="text-[0.95rem] font-semibold">Versions</h2>
        <span className="text-muted-foreground tabular-nums">{versions.length}</span>
        <div className="flex-1" />
        <Button variant="outline" size="sm" onClick={() => setAsked({ what: "merge", other: "" })} refused={refused}>
          <GitMerge /> Merge…
        </Button>
      </div>
      <ol aria-label="Versions">
        {entries.slice(0, Math.max(shown, open + 1)).map((one, at) => {
          const own = numbered.get(one.commit);
          const row = rows[at];
          return (
            <li key={one.commit} className="relative pb-2" style={{ paddingLeft: width * LANE + 8 }}>
              {row !== undefined && <LaneLines row={row} width={width} large={own !== undefined} />}
              {own === undefined ? (
                <OtherRow entry={one} onMerge={one.name === null ? null : (other) => setAsked({ what: "merge", other })} />
              ) : (
                <VersionRow
                  entry={own}
                  labels={labelsOf(one, name)}
                  branches={one.newest_of.filter((other) => other !== name)}
                  newest={one.newest_of.includes(name)}
                  compared={at === open}
                  onCompare={own.version > 1 ? () => compare(own.version) : null}
                  onAsk={setAsked}
                />
              )}
              {at === open && pair !== null && <DiffView name={name} versions={versions} pair={pair} onChange={setPair} />}
            </li>
          );
        })}
      </ol>
      {entries.length > shown && (
        <Button variant="outline" onClick={() => setShown(shown + STEP)}>
          Show older ones
        </Button>
      )}
      {asked?.what === "restore" && <RestoreDialog name={name} version={asked.version} onClose={close} onStarted={started} />}
      {asked?.what === "verify" && <VerifyDialog name={name} version={asked.version} onClose={close} onStarted={started} />}
      {asked?.what === "tag" && <TagDialog name={name} version={asked.version} entries={entries} onClose={close} />}
      {asked?.what === "branch" && <BranchDialog name={name} version={asked.version} onClose={close} />}
      {asked?.what === "revert" && <RevertDialog name={name} version={asked.version} newest={Math.max(...versions.map((one) => one.version))} onClose={close} />}
      {asked?.what === "merge" && <MergeDialog name={name} first={asked.other} entries={entries} onClose={close} />}
    </div>
  );
}

/** The history; where it cannot be read, the workflow's own versions as one line. */
function listEntries(versions: readonly LogEntry[], history: readonly HistoryEntry[] | undefined): HistoryEntry[] {
  if (history !== undefined) return [...history];
  const parentOf = new Set(versions.map((one) => one.parent));
  return versions.map(({ commit, parent, name, version, message, created_at }) => ({
    ...{ commit, name, version, message, created_at },
    parents: parent === null ? [] : [parent],
    newest_of: parentOf.has(commit) ? [] : [name],
    tags: [],
  }));
}

/** The workflow's own tags by their names alone, others' whole. */
function labelsOf(entry: HistoryEntry, name: string): string[] {
  return entry.tags.map((tag) => (tag.startsWith(`${name}@`) ? tag.slice(name.length + 1) : tag));
}
