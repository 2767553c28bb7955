import { Background, BackgroundVariant, ControlButton, Controls, type Edge, MiniMap, type Node, ReactFlow, ReactFlowProvider, getViewportForBounds, useReactFlow, useStore, type Viewport } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { Maximize } from "lucide-react";
import { type KeyboardEvent, type MouseEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Canvas, CanvasNode, GraphResult } from "@/api/schema";
import { cn } from "@/lib/cn";
import { useTheme } from "@/lib/theme";
import { type Block, boundsOf, boxOf, findBlock, groupLines, type LineGroup, makeBlocks, MANY } from "./bulk";
import { BulkCanvas } from "./bulk-canvas";
import { type CardNode, type FlowNode, makeEdges, makeNodes } from "./layout";
import { Detail, DETAILED, GroupBox, NodeCard, READABLE } from "./node-card";
import { type Marks, NO_MARKS, SIGNS } from "./marks";
import { OverviewMap } from "./overview-map";
import "./graph.css";

const TYPES = { card: NodeCard, "group-box": GroupBox };
const PADDING = 0.12;
const ZOOMS = { minZoom: 0.02, maxZoom: 2 };
/** Beyond `MANY` nodes, a graph opens at a zoom at which they can be read, not as a whole. */
const FIRST_ZOOM = 0.4;

const NO_NODES: FlowNode[] = [];
const NO_EDGES: Edge[] = [];
const NO_BLOCKS: Block[] = [];
const NO_LINES: LineGroup[] = [];

type Props = {
  canvas: Canvas;
  graph: GraphResult;
  found: ReadonlySet<string> | null;
  marks?: Marks;
  map?: boolean;
  /** `withKeys`: by the keyboard, whose focus then goes to what is shown of the node. */
  onSelect: (id: string | null, withKeys?: boolean) => void;
  onOpen: (node: CanvasNode) => void;
};

/** A graph as in ComfyUI's editor. It is drawn once it is known how large it can be, where it will be seen. */
export function GraphView(props: Props) {
  const [first, setFirst] = useState<Viewport | null>(null);
  const { canvas } = props;
  const measure = useCallback(
    (element: HTMLDivElement | null) => {
      if (element !== null) setFirst((known) => known ?? firstView(canvas, element));
    },
    [canvas],
  );
  const press = (event: KeyboardEvent<HTMLDivElement>) => {
    const id = event.target instanceof HTMLElement && event.target.matches(".react-flow__node-card") ? event.target.dataset["node"] : undefined;
    if (id === undefined || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    props.onSelect(id, true);
  };
  return (
    <div ref={measure} className="absolute inset-0" onKeyDown={press}>
      {first !== null && (
        <ReactFlowProvider>
          <Flow {...props} first={first} />
        </ReactFlowProvider>
      )}
    </div>
  );
}

function Flow({ canvas, graph, found, marks = NO_MARKS, map = true, first, onSelect, onOpen }: Props & { first: Viewport }) {
  const dark = useTheme((state) => state.dark);
  const { fitBounds, screenToFlowPosition } = useReactFlow();
  const many = canvas.nodes.length > MANY;
  const far = useStore((state) => state.transform[2] < READABLE);
  const small = useStore((state) => state.transform[2] < DETAILED);
  const drawn = many && far;
  const nodes = useMemo(() => makeNodes(canvas, graph, found, marks), [canvas, graph, found, marks]);
  // Values that are changed leave the links as they are.
  const edges = useMemo(() => (many ? NO_EDGES : makeEdges(canvas, marks)), [many, canvas.links, marks.links]);
  const lines = useMemo(() => (many ? groupLines(canvas, marks) : NO_LINES), [many, canvas.links, marks.links]);
  const blocks = useMemo(() => (many ? makeBlocks(canvas, marks) : NO_BLOCKS), [many, canvas, marks]);
  const byId = useMemo(() => new Map(canvas.nodes.map((node) => [node.id, node])), [canvas]);

  const fit = useCallback(
    (some: readonly CanvasNode[]) => {
      const bounds = boundsOf(some.map(boxOf));
      if (bounds !== null) void fitBounds(bounds, { padding: PADDING, duration: window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 250 });
    },
    [fitBounds],
  );
  const searched = useRef(found);
  useEffect(() => {
    if (searched.current === found) return;
    searched.current = found;
    if (found !== null && found.size > 0 && found.size < canvas.nodes.length) fit(canvas.nodes.filter((node) => found.has(node.id)));
  }, [found, fit, canvas]);

  const open = (_: unknown, node: Node) => {
    const inner = byId.get(node.id);
    if (inner !== undefined) onOpen(inner);
  };
  const press = (event: MouseEvent) => {
    const { x, y } = screenToFlowPosition({ x: event.clientX, y: event.clientY });
    onSelect(drawn ? (findBlock(blocks, x, y)?.id ?? null) : null);
  };
  return (
    <Detail.Provider value={many && small ? "title" : far ? "block" : "all"}>
    <ReactFlow
      className={cn("!absolute !inset-0 !bg-canvas", many && "bulk")}
      nodes={drawn ? NO_NODES : nodes}
      edges={edges}
      nodeTypes={TYPES}
      colorMode={dark ? "dark" : "light"}
      defaultViewport={first}
      {...ZOOMS}
      nodesDraggable={false}
      nodesConnectable={false}
      edgesFocusable={false}
      onlyRenderVisibleElements
      deleteKeyCode={null}
      onNodeClick={(_, node) => onSelect(node.type === "card" ? node.id : null)}
      onNodeDoubleClick={open}
      onPaneClick={press}
      proOptions={{ hideAttribution: false }}
    >
      {!many && <Background variant={BackgroundVariant.Dots} gap={24} size={1.5} color="var(--canvas-dot)" />}
      {many && <BulkCanvas groups={lines} blocks={drawn ? blocks : NO_BLOCKS} found={found} dark={dark} />}
      <Controls showInteractive={false} showFitView={false} position="bottom-left">
        <ControlButton onClick={() => fit(canvas.nodes)} aria-label="Show all of it" title="Show all of it">
          <Maximize className="!fill-none" />
        </ControlButton>
      </Controls>
      {map && (many ? <OverviewMap blocks={blocks} dark={dark} /> : <MiniMap pannable zoomable position="bottom-right" className="hidden md:block" nodeColor={miniColor} />)}
    </ReactFlow>
    </Detail.Provider>
  );
}

/** What a graph shows first: all of it, as long as that can be read; on a phone, where it begins. */
function firstView(canvas: Canvas, { clientWidth, clientHeight }: HTMLDivElement): Viewport {
  const many = canvas.nodes.length > MANY;
  const narrow = !many && window.matchMedia("(width < 40rem)").matches;
  const leftmost = narrow ? [...canvas.nodes].sort((one, other) => one.x - other.x).slice(0, 2) : canvas.nodes;
  const bounds = boundsOf(leftmost.map(boxOf)) ?? { x: 0, y: 0, width: 1, height: 1 };
  return getViewportForBounds(bounds, clientWidth, clientHeight, many ? FIRST_ZOOM : ZOOMS.minZoom, 1, PADDING);
}

function miniColor(node: Node): string {
  if (node.type === "group-box") return "transparent";
  const { node: saved, mark } = (node as CardNode).data;
  if (mark !== null) return SIGNS[mark.kind].color;
  return saved.color ?? "color-mix(in oklch, var(--muted-foreground) 55%, var(--card))";
}
