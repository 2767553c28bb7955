import { Check, LoaderCircle, WifiOff } from "lucide-react";
import type { Live } from "./events";

const SHOWN = 6;

/** How far a job is: all of it, each node that ran, and what it looks like so far. `nodes` are their titles by id. */
export function ProgressView({ live, nodes }: { live: Live; nodes: Record<string, string> }) {
  const { progress, preview, connected } = live;
  const percent = Math.round((progress?.value ?? 0) * 100);
  const ran = live.nodes.slice(-SHOWN);
  const titleOf = (node: string, type: string) => nodes[node] ?? (type || `node ${node}`);
  const current = progress?.current_node ?? "";
  const message = progress?.message ?? "";
  // ComfyUI's message often is the node's title, which stands above it.
  const more = [titleOf(current, ""), progress?.current_node_class].includes(message) ? "" : message;
  return (
    <div className="space-y-3 rounded-lg border bg-card p-3">
      {!connected && (
        <p role="status" className="flex items-center gap-1.5 text-[0.84rem] text-warning">
          <WifiOff className="size-4" /> no connection; trying again
        </p>
      )}
      <div className="flex items-center gap-3">
        <div role="progressbar" aria-label="Progress" aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent} className="h-1.5 min-w-0 flex-1 overflow-hidden rounded-full bg-muted">
          <div className="h-full rounded-full bg-info transition-[width]" style={{ width: `${percent}%` }} />
        </div>
        <span className="shrink-0 text-[0.84rem] text-muted-foreground tabular-nums">
          {progress === null || progress.nodes_total === 0 ? "waiting" : `${progress.nodes_done} of ${progress.nodes_total} nodes`}
        </span>
      </div>
      {ran.length > 0 && (
        <ol aria-label="Nodes" className="space-y-1 text-[0.84rem]">
          {ran.map((one, at) => (
            <li key={`${one.node} ${at}`} className="flex items-center gap-2">
              {one.done ? <Check className="size-3.5 shrink-0 text-success" aria-label="done" /> : <LoaderCircle className="size-3.5 shrink-0 animate-spin text-info" aria-label="running" />}
              <span className="min-w-0 truncate">{titleOf(one.node, one.type)}</span>
              {!one.done && one.step !== null && one.steps !== null && (
                <span className="shrink-0 text-muted-foreground tabular-nums">
                  step {one.step} of {one.steps}
                </span>
              )}
            </li>
          ))}
        </ol>
      )}
      {more !== "" && <p className="text-[0.84rem] break-words text-muted-foreground">{more}</p>}
      {preview !== null && <img src={preview} alt="What it looks like so far" className="max-h-[28rem] w-full rounded-md bg-canvas object-contain" />}
    </div>
  );
}
