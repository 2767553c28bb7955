import { GitBranch, GitMerge, History, MoreHorizontal, RotateCcw, ShieldCheck, Tag } from "lucide-react";
import { Link } from "wouter";
import { useRefusal } from "@/api/session";
import type { HistoryEntry, LogEntry } from "@/api/schema";
import { Copyable } from "@/components/copy-button";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { DropdownMenu, DropdownMenuContent, DropdownMenuItem, DropdownMenuTrigger } from "@/components/ui/dropdown-menu";
import { cn } from "@/lib/cn";
import { formatAgo, formatSize, formatTime, shortDigest } from "@/lib/format";

export type Asked = { what: "restore" | "verify" | "tag" | "branch" | "revert"; version: number } | { what: "merge"; other: string };

type RowProps = {
  entry: LogEntry;
  labels: string[];
  /** Other workflows of which it is the newest version. */
  branches: string[];
  newest: boolean;
  compared: boolean;
  onCompare: (() => void) | null;
  onAsk: (asked: Asked) => void;
};

/** A version of the workflow: what it is called, what changed, what can be done with it. */
export function VersionRow({ entry, labels, branches, newest, compared, onCompare, onAsk }: RowProps) {
  // Without a message of a person it is the summary itself.
  const all = entry.summary ?? [];
  const summary = all.join("; ") === entry.message ? [] : all;
  const { version } = entry;
  const refused = useRefusal("build");
  return (
    <article className={cn("rounded-lg border bg-card px-3 py-2.5", compared && "rounded-b-none")}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <span className="w-10 text-base font-semibold tabular-nums">v{version}</span>
        <div className="min-w-0 flex-1 basis-56">
          <p className="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-0.5">
            <span className="line-clamp-2 min-w-0 break-words">{entry.message || "no message"}</span>
            <Labels tags={labels} branches={branches} />
          </p>
          <p className="flex flex-wrap items-center gap-x-2 text-[0.82rem] text-muted-foreground">
            <time dateTime={entry.created_at} title={formatTime(entry.created_at)}>
              {formatAgo(entry.created_at)}
            </time>
            {entry.comfyui_version !== "" && <span>ComfyUI {entry.comfyui_version}</span>}
            {entry.size != null && <span>{formatSize(entry.size)}</span>}
            {entry.manifest_digest != null && <Copyable text={entry.manifest_digest} shown={shortDigest(entry.manifest_digest)} label="the image's digest" />}
          </p>
        </div>
        <div className="flex flex-wrap gap-1.5">
          {onCompare !== null && (
            <Button variant={compared ? "secondary" : "outline"} size="sm" aria-expanded={compared} onClick={onCompare}>
              Compare
            </Button>
          )}
          <Button variant="outline" size="sm" onClick={() => onAsk({ what: "verify", version })} refused={refused} title="Build it again in an empty store, and compare every digest">
            <ShieldCheck /> Verify
          </Button>
          <Button variant="outline" size="sm" onClick={() => onAsk({ what: "restore", version })} refused={refused} title="As an image with the same digest, a ComfyUI folder, or a Nix project">
            <RotateCcw /> Restore
          </Button>
          <DropdownMenu>
            <DropdownMenuTrigger asChild>
              <Button variant="outline" size="sm" aria-label={`More of version ${version}`}>
                <MoreHorizontal />
              </Button>
            </DropdownMenuTrigger>
            <DropdownMenuContent align="end">
              <DropdownMenuItem refused={refused} onSelect={() => onAsk({ what: "tag", version })}>
                <Tag /> Tags…
              </DropdownMenuItem>
              <DropdownMenuItem refused={refused} onSelect={() => onAsk({ what: "branch", version })}>
                <GitBranch /> Branch…
              </DropdownMenuItem>
              <DropdownMenuItem disabled={newest} refused={refused} onSelect={() => onAsk({ what: "revert", version })}>
                <History /> Revert to it…
              </DropdownMenuItem>
            </DropdownMenuContent>
          </DropdownMenu>
        </div>
      </div>
      {summary.length > 0 && (
        <ul className="mt-1.5 ml-13 list-disc space-y-0.5 pl-4 text-[0.84rem] text-muted-foreground marker:text-border">
          {summary.slice(0, 6).map((line, at) => (
            <li key={at} className="break-words">
              {line}
            </li>
          ))}
          {summary.length > 6 && <li>{summary.length - 6} more changes</li>}
        </ul>
      )}
      {entry.problem != null && <p className="mt-1 text-[0.84rem] text-warning">{entry.problem}</p>}
    </article>
  );
}

/** A version of another workflow, or one that a merge brought in. */
export function OtherRow({ entry, onMerge }: { entry: HistoryEntry; onMerge: ((other: string) => void) | null }) {
  const { name, version } = entry;
  const refused = useRefusal("build");
  const label = name === null ? entry.commit.slice(0, 12) : `${name}@${version}`;
  return (
    <div className="flex min-h-12 min-w-0 flex-wrap items-center gap-x-2 gap-y-0.5 px-3 py-1 text-[0.86rem] text-muted-foreground">
      {name === null ? (
        <code className="text-[0.8rem]" title="it came in by a merge">{label}</code>
      ) : (
        <Link href={`/workflows/${name}/versions`} className="rounded-sm text-foreground outline-none hover:underline focus-visible:ring-2 focus-visible:ring-ring">
          {label}
        </Link>
      )}
      <span className="order-last line-clamp-2 min-w-0 basis-full break-words sm:order-none sm:line-clamp-1 sm:flex-1 sm:basis-0">{entry.message || "no message"}</span>
      <Labels tags={entry.tags.map((tag) => tag.split("@")[1] ?? tag)} branches={entry.newest_of} />
      <time dateTime={entry.created_at} title={formatTime(entry.created_at)}>
        {formatAgo(entry.created_at)}
      </time>
      {onMerge !== null && (
        <Button variant="ghost" size="sm" onClick={() => onMerge(label)} refused={refused} aria-label={`Merge ${label}`}>
          <GitMerge /> Merge…
        </Button>
      )}
    </div>
  );
}

function Labels({ tags, branches }: { tags: readonly string[]; branches: readonly string[] }) {
  return (
    <>
      {tags.map((tag) => (
        <Badge key={tag} variant="info" className="max-w-48">
          <Tag aria-label="tag" /> <span className="truncate">{tag}</span>
        </Badge>
      ))}
      {branches.map((branch) => (
        <Badge key={branch} variant="outline" className="max-w-48">
          <GitBranch aria-label="newest version of" /> <span className="truncate">{branch}</span>
        </Badge>
      ))}
    </>
  );
}
