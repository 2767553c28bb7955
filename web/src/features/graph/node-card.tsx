import type { NodeProps } from "@xyflow/react";
import { Layers2 } from "lucide-react";
import { createContext, memo, useContext } from "react";
import type { CanvasSlot } from "@/api/schema";
import { cn } from "@/lib/cn";
import { typeColor } from "./colors";
import { SIGNS } from "./marks";
import { type CardNode, type GroupNode, LINE, makeRows, placeSlots } from "./layout";

/** Below this zoom no text can be read: cards are drawn as blocks. */
export const READABLE = 0.3;
/** Below this one, cards of a large graph have their titles alone, in letters that can be read there. */
export const DETAILED = 0.55;

/** How much of a card is shown. Cards learn of it together, not each by looking at every move of the view. */
export const Detail = createContext<"all" | "title" | "block">("all");

/** React Flow's own element for a slot looks at every move of the view, and is there to be connected. */
function Slot({ slot, side, top }: { slot: CanvasSlot; side: "in" | "out"; top: number }) {
  return (
    <span
      title={`${slot.name}: ${slot.type}`}
      style={{ top, background: typeColor(slot.type) }}
      className={cn("absolute size-2.5 -translate-y-1/2 rounded-full", side === "in" ? "left-0 -translate-x-1/2" : "right-0 translate-x-1/2")}
    />
  );
}

function NodeValue({ name, text, linked, old }: { name: string; text: string; linked: boolean; old: string | undefined }) {
  const changed = old !== undefined && "bg-info/15 ring-1 ring-info/50";
  if (text.length > LINE) {
    return (
      <div className={cn("my-0.5 h-[120px] overflow-clip rounded bg-background/70 px-1.5 whitespace-pre-wrap text-foreground/85", changed)}>{text}</div>
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

function TitleCard({ node, dimmed, mark, selected }: CardNode["data"] & { selected: boolean }) {
  const sign = mark === null ? null : SIGNS[mark.kind];
  const color = node.background ?? node.color;
  return (
    <div
      data-mode={node.mode}
      data-mark={mark?.kind}
      className={cn(
        "size-full overflow-clip rounded-lg border-2 bg-card px-2.5 py-1 text-[24px] leading-[30px] font-medium break-words",
        selected && "border-ring ring-2 ring-ring/50",
        node.mode !== "runs" && "border-dashed text-muted-foreground",
        sign !== null && cn("border-4", sign.border),
        dimmed && "opacity-20",
      )}
      style={color === null || color === undefined ? undefined : { background: `color-mix(in srgb, ${color} 30%, var(--card))` }}
    >
      {sign !== null && <span className={sign.text}>{sign.sign} </span>}
      {node.title}
    </div>
  );
}

/** A node as ComfyUI draws it: its title, slots at the sides, then its values. */
export const NodeCard = memo(function NodeCard({ data, selected }: NodeProps<CardNode>) {
  const { node, pack, dimmed, linked, mark } = data;
  const sign = mark === null ? null : SIGNS[mark.kind];
  const detail = useContext(Detail);
  if (detail === "title") return <TitleCard {...data} selected={selected} />;
  const far = detail === "block";
  const { sockets, values } = makeRows(node);
  const rows = Math.max(sockets.length, node.outputs.length);
  const places = placeSlots(node);
  return (
    <div
      data-mode={node.mode}
      data-mark={mark?.kind}
      className={cn(
        "flex size-full flex-col overflow-clip rounded-lg border bg-card text-[12px] shadow-sm",
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
        linked.has(`in-${at}`) || (!far && sockets.includes(at)) ? <Slot key={at} slot={slot} side="in" top={places.inputs[at] ?? 0} /> : null,
      )}
      {node.outputs.map((slot, at) =>
        linked.has(`out-${at}`) || !far ? <Slot key={at} slot={slot} side="out" top={places.outputs[at] ?? 0} /> : null,
      )}
      {!node.collapsed && !far && (
        <div className="min-h-0 flex-1 overflow-clip px-3 pt-1 leading-[20px]">
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
