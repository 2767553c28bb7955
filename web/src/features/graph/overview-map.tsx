import { Panel, useReactFlow, useStore } from "@xyflow/react";
import { type PointerEvent, useEffect, useMemo, useRef } from "react";
import { type Block, type Box, boundsOf } from "./bulk";

const WIDTH = 200;
const HEIGHT = 150;

/** All of a large graph, drawn once, and which part of it is seen; a press moves there. React Flow's own map draws every
 * node anew with each move. */
export function OverviewMap({ blocks, dark }: { blocks: readonly Block[]; dark: boolean }) {
  const element = useRef<HTMLCanvasElement>(null);
  const { setCenter, getZoom } = useReactFlow();
  const map = useMemo(() => fit(boundsOf(blocks) ?? { x: 0, y: 0, width: 1, height: 1 }), [blocks]);
  useEffect(() => {
    const context = element.current?.getContext("2d");
    if (context == null) return;
    const ratio = window.devicePixelRatio;
    context.canvas.width = WIDTH * ratio;
    context.canvas.height = HEIGHT * ratio;
    context.setTransform(map.scale * ratio, 0, 0, map.scale * ratio, map.x * ratio, map.y * ratio);
    const color = getComputedStyle(document.documentElement).getPropertyValue("--muted-foreground");
    context.globalAlpha = 0.6;
    for (const one of blocks) {
      context.fillStyle = one.color ?? color;
      context.fillRect(one.x, one.y, one.width, one.height);
    }
  }, [blocks, map, dark]);
  const move = (event: PointerEvent) => {
    if (event.buttons !== 1) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const box = event.currentTarget.getBoundingClientRect();
    void setCenter((event.clientX - box.x - map.x) / map.scale, (event.clientY - box.y - map.y) / map.scale, { zoom: getZoom() });
  };
  return (
    <Panel position="bottom-right" className="react-flow__minimap hidden bg-card md:block">
      <div className="relative overflow-hidden" style={{ width: WIDTH, height: HEIGHT }} onPointerDown={move} onPointerMove={move}>
        <canvas ref={element} role="img" aria-label="The whole graph" style={{ width: WIDTH, height: HEIGHT }} />
        <Seen map={map} />
      </div>
    </Panel>
  );
}

type Fitted = { x: number; y: number; scale: number };

function fit(bounds: Box): Fitted {
  const scale = 0.94 * Math.min(WIDTH / Math.max(bounds.width, 1), HEIGHT / Math.max(bounds.height, 1));
  return { scale, x: (WIDTH - bounds.width * scale) / 2 - bounds.x * scale, y: (HEIGHT - bounds.height * scale) / 2 - bounds.y * scale };
}

function Seen({ map }: { map: Fitted }) {
  const transform = useStore((state) => state.transform);
  const width = useStore((state) => state.width);
  const height = useStore((state) => state.height);
  const [x, y, zoom] = transform;
  const size = { width: (width / zoom) * map.scale, height: (height / zoom) * map.scale };
  const place = `translate(${(-x / zoom) * map.scale + map.x}px, ${(-y / zoom) * map.scale + map.y}px)`;
  return <div className="pointer-events-none absolute top-0 left-0 border-2 border-ring bg-ring/10" style={{ ...size, transform: place }} />;
}
