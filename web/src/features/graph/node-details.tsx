import { Layers2, X } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import type { CanvasNode, GraphResult } from "@/api/schema";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { typeColor } from "./colors";
import { packOf } from "./layout";

type Props = { node: CanvasNode; graph: GraphResult; onClose: () => void; onOpen: (node: CanvasNode) => void; takesFocus?: boolean; note?: string | undefined; children?: ReactNode };

/** What is known of the node that was clicked; `children` are its values where these can be changed, `note` says why they
 * cannot be. */
export function NodeDetails({ node, graph, onClose, onOpen, takesFocus = false, note, children }: Props) {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    if (takesFocus) panel.current?.focus();
  }, [takesFocus, node.id]);
  const said = graph.provenance[node.type];
  const pack = packOf(node.type, graph);
  return (
    <aside
      ref={panel}
      tabIndex={-1}
      onKeyDown={(e) => e.key === "Escape" && onClose()}
      aria-label={node.title}
      className="absolute inset-x-2 bottom-2 z-10 max-h-[55%] overflow-y-auto rounded-lg border bg-popover p-3 shadow-lg outline-none focus-visible:ring-2 focus-visible:ring-ring md:inset-x-auto md:top-3 md:right-3 md:bottom-auto md:max-h-[calc(100%-13rem)] md:w-80"
    >
      <div className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <h2 className="font-medium break-words">{node.title}</h2>
          <code className="text-[0.8rem] break-all text-muted-foreground">
            {node.subgraph === null ? node.type : "subgraph"} · {node.id}
          </code>
        </div>
        <Button variant="ghost" size="icon-sm" aria-label="Close" onClick={onClose}>
          <X />
        </Button>
      </div>
      <div className="mt-2 flex flex-wrap gap-1">
        {node.mode !== "runs" && <Badge variant="warning">{node.mode}</Badge>}
        {pack !== null ? <Badge>{pack}</Badge> : <Badge variant="outline">no node pack named</Badge>}
        {said?.version != null && <Badge variant="outline" className="max-w-full truncate font-mono">{said.version.slice(0, 12)}</Badge>}
      </div>
      {node.subgraph !== null && (
        <Button variant="outline" size="sm" className="mt-2" onClick={() => onOpen(node)}>
          <Layers2 /> Step in
        </Button>
      )}
      {children}
      {children === undefined && node.values.length > 0 && (
        <dl className="mt-3 space-y-1.5">
          {node.values.map((value, at) => (
            <div key={at}>
              <dt className="text-[0.78rem] text-muted-foreground">{value.name === "" ? `value ${at + 1}` : value.name}</dt>
              <dd className="max-h-40 overflow-y-auto rounded bg-muted px-2 py-0.5 text-[0.84rem] break-words whitespace-pre-wrap">{value.text === "" ? "–" : value.text}</dd>
            </div>
          ))}
          {note !== undefined && <p className="text-[0.78rem] text-muted-foreground">{note}: values are only shown.</p>}
        </dl>
      )}
      {[["Inputs", node.inputs] as const, ["Outputs", node.outputs] as const].map(
        ([title, slots]) =>
          slots.length > 0 && (
            <div key={title} className="mt-3">
              <h3 className="text-[0.78rem] text-muted-foreground">{title}</h3>
              <ul className="text-[0.84rem]">
                {slots.map((slot, at) => (
                  <li key={at} className="flex items-center gap-1.5">
                    <span className="size-2 shrink-0 rounded-full" style={{ background: typeColor(slot.type) }} />
                    <span className="truncate">{slot.name}</span>
                    <span className="ml-auto truncate text-muted-foreground">{slot.type}</span>
                  </li>
                ))}
              </ul>
            </div>
          ),
      )}
    </aside>
  );
}
