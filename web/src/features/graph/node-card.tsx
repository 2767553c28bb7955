import { Handle, type NodeProps, Position } from "@xyflow/react";
import { Layers2 } from "lucide-react";
import { memo } from "react";
import type { CanvasSlot } from "@/api/schema";
import { cn } from "@/lib/cn";
import { typeColor } from "./colors";
import type { CardNode, GroupNode } from "./layout";

const SLOT = 20;
const TITLE = 30;

function slotTop(at: number): number {
  return TITLE + 14 + at * SLOT;
}

function Slot({ slot, at, side, collapsed }: { slot: CanvasSlot; at: number; side: "in" | "out"; collapsed: boolean }) {
  return (
    <Handle
      id={`${side}-${at}`}
      type={side === "in" ? "target" : "source"}
      position={side === "in" ? Position.Left : Position.Right}
      isConnectable={false}
      title={`${slot.name}: ${slot.type}`}
      style={{ top: collapsed ? TITLE / 2 : slotTop(at), background: typeColor(slot.type) }}
      className="!size-2.5 !border-0"
    />
  );
}

/** A node as ComfyUI draws it: its title, slots at the sides, then its values. */
export const NodeCard = memo(function NodeCard({ data, selected }: NodeProps<CardNode>) {
  const { node, pack, dimmed } = data;
  const rows = node.collapsed ? 0 : Math.max(node.inputs.length, node.outputs.length);
  return (
    <div
      data-mode={node.mode}
      className={cn(
        "flex size-full flex-col overflow-hidden rounded-lg border bg-card text-[12px] shadow-sm transition-opacity",
        selected && "border-ring ring-2 ring-ring/50",
        node.mode === "muted" && "opacity-45",
        node.mode === "bypassed" && "border-dashed border-[#c83cff] opacity-60",
        dimmed && "opacity-20",
      )}
      style={node.background === null ? undefined : { background: `color-mix(in srgb, ${node.background} 26%, var(--card))` }}
    >
      <div
        className="flex h-[30px] shrink-0 items-center gap-1.5 border-b bg-muted px-2.5 font-medium"
        style={node.color === null ? undefined : { background: `color-mix(in srgb, ${node.color} 45%, var(--muted))` }}
      >
        <span className="min-w-0 flex-1 truncate">{node.title}</span>
        {node.subgraph !== null && <Layers2 className="size-3.5 text-muted-foreground" aria-label="a subgraph" />}
        {pack !== null && <span className="max-w-[45%] truncate rounded bg-background/70 px-1 text-[10px] text-muted-foreground">{pack}</span>}
      </div>
      {node.inputs.map((slot, at) => (
        <Slot key={at} slot={slot} at={at} side="in" collapsed={node.collapsed} />
      ))}
      {node.outputs.map((slot, at) => (
        <Slot key={at} slot={slot} at={at} side="out" collapsed={node.collapsed} />
      ))}
      {!node.collapsed && (
        <div className="min-h-0 flex-1 overflow-hidden px-3 pt-1 leading-[20px]">
          {Array.from({ length: rows }, (_, at) => (
            <div key={at} className="flex h-[20px] justify-between gap-3 text-muted-foreground">
              <span className="truncate">{node.inputs[at]?.name}</span>
              <span className="truncate text-right">{node.outputs[at]?.name}</span>
            </div>
          ))}
          {node.values.map((value, at) => (
            <div key={at} className={cn("my-0.5 flex gap-2 rounded bg-background/70 px-1.5 text-foreground/85", value.text.length > 60 && "whitespace-pre-wrap")}>
              {value.name !== "" && <span className="shrink-0 text-muted-foreground">{value.name}</span>}
              <span className={cn("min-w-0 flex-1", value.text.length > 60 ? "line-clamp-6" : "truncate", value.name !== "" && "text-right")}>{value.text}</span>
            </div>
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
