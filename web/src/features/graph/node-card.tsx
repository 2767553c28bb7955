import { Handle, type NodeProps, Position, useStore } from "@xyflow/react";
import { Layers2 } from "lucide-react";
import { memo } from "react";
import type { CanvasSlot } from "@/api/schema";
import { cn } from "@/lib/cn";
import { typeColor } from "./colors";
import { SIGNS } from "./marks";
import { type CardNode, type GroupNode, LINE, makeRows, placeSlots } from "./layout";

/** Below this zoom no text can be read: cards are drawn as blocks, so that thousands of them stay smooth. */
const READABLE = 0.3;

function Slot({ slot, at, side, top }: { slot: CanvasSlot; at: number; side: "in" | "out"; top: number }) {
  return (
    <Handle
      id={`${side}-${at}`}
      type={side === "in" ? "target" : "source"}
      position={side === "in" ? Position.Left : Position.Right}
      isConnectable={false}
      title={`${slot.name}: ${slot.type}`}
      style={{ top, background: typeColor(slot.type) }}
      className="!size-2.5 !border-0"
    />
  );
}

function NodeValue({ name, text, linked, old }: { name: string; text: string; linked: boolean; old: string | undefined }) {
  const changed = old !== undefined && "bg-info/15 ring-1 ring-info/50";
  if (text.length > LINE) {
    return (
      <div className={cn("my-0.5 h-[120px] overflow-hidden rounded bg-background/70 px-1.5 whitespace-pre-wrap text-foreground/85", changed)}>{text}</div>
    );
  }
  return (
    <div className={cn("my-0.5 flex h-[20px] gap-2 rounded px-1.5", !linked && "bg-background/70", changed)}>
      {name !== "" && <span className="min-w-0 shrink truncate text-muted-foreground">{name}</span>}
      {!linked && (
        <span className={cn("min-w-0 flex-1 truncate text-foreground/85", name !== "" && "text-right")}>
          {old !== undefined && <span className="text-muted-foreground">{old === "" ? "–" : old} → </span>}
          {text}
        </span>
      )}
    </div>
  );
}

/** A node as ComfyUI draws it: its title, slots at the sides, then its values. */
export const NodeCard = memo(function NodeCard({ data, selected }: NodeProps<CardNode>) {
  const { node, pack, dimmed, linked, mark } = data;
  const sign = mark === null ? null : SIGNS[mark.kind];
  const far = useStore((state) => state.transform[2] < READABLE);
  const { sockets, values } = makeRows(node);
  const rows = Math.max(sockets.length, node.outputs.length);
  const places = placeSlots(node);
  return (
    <div
      data-mode={node.mode}
      data-mark={mark?.kind}
      className={cn(
        "flex size-full flex-col overflow-hidden rounded-lg border bg-card text-[12px] shadow-sm transition-opacity",
        selected && "border-ring ring-2 ring-ring/50",
        node.mode === "muted" && "opacity-45",
        node.mode === "bypassed" && "border-dashed border-[#c83cff] opacity-60",
        sign !== null && cn("border-2 opacity-100", sign.border),
        mark?.kind === "removed" && "border-dashed",
        dimmed && "opacity-20",
      )}
      style={node.background === null ? undefined : { background: `color-mix(in srgb, ${node.background} 26%, var(--card))` }}
    >
      <div
        className="flex h-[30px] shrink-0 items-center gap-1.5 border-b bg-muted px-2.5 font-medium"
        style={node.color === null ? undefined : { background: `color-mix(in srgb, ${node.color} 45%, var(--muted))` }}
      >
        {far && sign !== null && <span className={cn("absolute inset-x-0 top-0 grid h-[60px] place-items-center text-[54px] font-bold", sign.text)}>{sign.sign}</span>}
        {!far && (
          <>
            {sign !== null && (
              <span className={cn("shrink-0 rounded px-1 text-[11px] font-semibold", sign.badge)}>
                {sign.sign} {mark?.kind}
              </span>
            )}
            <span className={cn("min-w-0 flex-1 truncate", mark?.kind === "removed" && "line-through")}>{node.title}</span>
            {node.subgraph !== null && <Layers2 className="size-3.5 text-muted-foreground" aria-label="a subgraph" />}
            {pack !== null && <span className="max-w-[45%] truncate rounded bg-background/70 px-1 text-[10px] text-muted-foreground">{pack}</span>}
          </>
        )}
      </div>
      {node.inputs.map((slot, at) =>
        linked.has(`in-${at}`) || (!far && sockets.includes(at)) ? <Slot key={at} slot={slot} at={at} side="in" top={places.inputs[at] ?? 0} /> : null,
      )}
      {node.outputs.map((slot, at) =>
        linked.has(`out-${at}`) || !far ? <Slot key={at} slot={slot} at={at} side="out" top={places.outputs[at] ?? 0} /> : null,
      )}
      {!node.collapsed && !far && (
        <div className="min-h-0 flex-1 overflow-hidden px-3 pt-1 leading-[20px]">
          {Array.from({ length: rows }, (_, at) => (
            <div key={at} className="flex h-[20px] justify-between gap-3 text-muted-foreground">
              <span className="truncate">{node.inputs[sockets[at] ?? -1]?.name}</span>
              <span className="truncate text-right">{node.outputs[at]?.name}</span>
            </div>
          ))}
          {values.map((value, at) => (
            <NodeValue key={at} name={value.name} text={value.text} linked={node.inputs[value.input]?.linked === true} old={mark?.olds.get(at)} />
          ))}
        </div>
      )}
    </div>
  );
});

export const GroupBox = memo(function GroupBox({ data }: NodeProps<GroupNode>) {
  const color = data.group.color ?? "#7d8899";
  return (
    <div className="size-full rounded-lg border" style={{ borderColor: `${color}88`, background: `${color}18` }}>
      <div className="truncate px-3 py-1 text-[16px] font-medium text-foreground/70">{data.group.title}</div>
    </div>
  );
});
