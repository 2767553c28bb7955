import { Background, BackgroundVariant, Controls, type FitViewOptions, MiniMap, type Node, ReactFlow, ReactFlowProvider, useReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useEffect, useMemo } from "react";
import type { Canvas, CanvasNode, GraphResult } from "@/api/schema";
import { useTheme } from "@/lib/theme";
import { type CardNode, makeEdges, makeNodes } from "./layout";
import { GroupBox, NodeCard } from "./node-card";
import { type Marks, NO_MARKS, SIGNS } from "./marks";
import "./graph.css";

const TYPES = { card: NodeCard, "group-box": GroupBox };
const FIT = { padding: 0.12, maxZoom: 1 };
/** With more nodes, a graph opens at a zoom at which they can be read, not as a whole. */
const MANY = 400;

type Props = {
  canvas: Canvas;
  graph: GraphResult;
  found: ReadonlySet<string> | null;
  marks?: Marks;
  map?: boolean;
  onSelect: (id: string | null) => void;
  onOpen: (node: CanvasNode) => void;
};

export function GraphView(props: Props) {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  );
}

function Flow({ canvas, graph, found, marks = NO_MARKS, map = true, onSelect, onOpen }: Props) {
  const dark = useTheme((state) => state.dark);
  const { fitView } = useReactFlow();
  const nodes = useMemo(() => makeNodes(canvas, graph, found, marks), [canvas, graph, found, marks]);
  // Values that are changed leave the links as they are.
  const edges = useMemo(() => makeEdges(canvas, marks), [canvas.links, marks.links]);
  const byId = useMemo(() => new Map(canvas.nodes.map((node) => [node.id, node])), [canvas]);

  useEffect(() => {
    if (found !== null && found.size > 0 && found.size < canvas.nodes.length) {
      void fitView({ ...FIT, nodes: [...found].map((id) => ({ id })), duration: 250 });
    }
  }, [found, fitView, canvas]);

  const open = (_: unknown, node: Node) => {
    const inner = byId.get(node.id);
    if (inner !== undefined) onOpen(inner);
  };
  return (
    <ReactFlow
      className="!absolute !inset-0 !bg-canvas"
      nodes={nodes}
      edges={edges}
      nodeTypes={TYPES}
      colorMode={dark ? "dark" : "light"}
      fitView
      fitViewOptions={firstView(canvas)}
      minZoom={0.05}
      maxZoom={2}
      nodesDraggable={false}
      nodesConnectable={false}
      edgesFocusable={false}
      onlyRenderVisibleElements
      deleteKeyCode={null}
      onNodeClick={(_, node) => onSelect(node.type === "card" ? node.id : null)}
      onNodeDoubleClick={open}
      onPaneClick={() => onSelect(null)}
      proOptions={{ hideAttribution: false }}
    >
      <Background variant={BackgroundVariant.Dots} gap={24} size={1.5} color="var(--canvas-dot)" />
      <Controls showInteractive={false} position="bottom-left" />
      {map && <MiniMap pannable zoomable position="bottom-right" className="hidden md:block" nodeColor={miniColor} />}
    </ReactFlow>
  );
}

/** What a graph shows first: all of it, as long as that can be read; on a phone, where it begins. */
function firstView(canvas: Canvas): FitViewOptions {
  if (canvas.nodes.length > MANY) return { ...FIT, minZoom: 0.4 };
  if (!window.matchMedia("(width < 40rem)").matches) return FIT;
  const leftmost = [...canvas.nodes].sort((one, other) => one.x - other.x).slice(0, 2);
  return { ...FIT, nodes: leftmost.map(({ id }) => ({ id })) };
}

function miniColor(node: Node): string {
  if (node.type === "group-box") return "transparent";
  const { node: saved, mark } = (node as CardNode).data;
  if (mark !== null) return SIGNS[mark.kind].color;
  return saved.color ?? "color-mix(in oklch, var(--muted-foreground) 55%, var(--card))";
}
