import { type ReactFlowState, useStoreApi, ViewportPortal } from "@xyflow/react";
import { useEffect, useRef } from "react";
import { type Block, type Box, isNear, type LineGroup } from "./bulk";

type Props = { groups: readonly LineGroup[]; blocks: readonly Block[]; found: ReadonlySet<string> | null; dark: boolean };

/** How much more than the view is drawn, at each side, in parts of the view: that far it moves without drawing. */
const MARGIN = 0.5;
/** Milliseconds after a zoom until it is drawn anew; until then it is only made larger or smaller. */
const SETTLED = 120;
const MAX_PIXELS = 16_000_000;

/** Links of a large graph, and its `blocks`. It lies in the view and moves with it. */
export function BulkCanvas(props: Props) {
  return (
    <ViewportPortal>
      <Drawing {...props} />
    </ViewportPortal>
  );
}

function Drawing({ groups, blocks, found, dark }: Props) {
  const element = useRef<HTMLCanvasElement>(null);
  const store = useStoreApi();
  useEffect(() => {
    const context = element.current?.getContext("2d");
    if (context == null) return undefined;
    const { canvas } = context;
    const colors = readColors();
    let drawn: Box & { zoom: number } = { x: 0, y: 0, width: 0, height: 0, zoom: 0 };
    let waiting = 0;
    const draw = () => {
      waiting = 0;
      const view = viewOf(store.getState());
      const part = widen(view);
      drawn = { ...part, zoom: view.zoom };
      const scale = Math.min(view.zoom * window.devicePixelRatio, Math.sqrt(MAX_PIXELS / (part.width * part.height)));
      canvas.width = Math.ceil(part.width * scale);
      canvas.height = Math.ceil(part.height * scale);
      canvas.style.cssText = `width:${part.width}px;height:${part.height}px;transform:translate(${part.x}px,${part.y}px)`;
      context.setTransform(scale, 0, 0, scale, -part.x * scale, -part.y * scale);
      drawLines(context, groups, part, view.zoom);
      drawBlocks(context, blocks, part, found, colors);
    };
    const look = () => {
      const view = viewOf(store.getState());
      if (!isWithin(view, drawn)) draw();
      else if (view.zoom !== drawn.zoom) {
        window.clearTimeout(waiting);
        waiting = window.setTimeout(draw, SETTLED);
      }
    };
    draw();
    const stop = store.subscribe(look);
    return () => {
      stop();
      window.clearTimeout(waiting);
    };
  }, [store, groups, blocks, found, dark]);
  return <canvas ref={element} aria-hidden className="pointer-events-none absolute top-0 left-0 -z-1 max-w-none" />;
}

function viewOf({ transform: [x, y, zoom], width, height }: ReactFlowState): Box & { zoom: number } {
  return { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom, zoom };
}

function widen({ x, y, width, height }: Box): Box {
  return { x: x - width * MARGIN, y: y - height * MARGIN, width: width * (1 + 2 * MARGIN), height: height * (1 + 2 * MARGIN) };
}

function isWithin(inner: Box, outer: Box): boolean {
  return inner.x >= outer.x && inner.y >= outer.y && inner.x + inner.width <= outer.x + outer.width && inner.y + inner.height <= outer.y + outer.height;
}

type Colors = { node: string; card: string };

/** A canvas knows no variables of the page. */
function readColors(): Colors {
  const style = getComputedStyle(document.documentElement);
  return { node: style.getPropertyValue("--muted-foreground"), card: style.getPropertyValue("--card") };
}

function drawLines(context: CanvasRenderingContext2D, groups: readonly LineGroup[], view: Box, zoom: number): void {
  for (const { color, alpha, width, mark, lines } of groups) {
    context.strokeStyle = color;
    context.globalAlpha = alpha;
    // Thinner than a pixel, a line would fade away.
    context.lineWidth = Math.max(width, 0.8 / zoom);
    context.setLineDash(mark === "removed" ? [7, 6] : []);
    context.beginPath();
    for (const line of lines) {
      if (!isNear(line, view)) continue;
      context.moveTo(line.x1, line.y1);
      context.bezierCurveTo(line.x1 + line.bend, line.y1, line.x2 - line.bend, line.y2, line.x2, line.y2);
    }
    context.stroke();
  }
  context.setLineDash([]);
}

function drawBlocks(context: CanvasRenderingContext2D, blocks: readonly Block[], view: Box, found: ReadonlySet<string> | null, colors: Colors): void {
  for (const { id, x, y, width, height, color, mark, muted } of blocks) {
    if (x + width < view.x || x > view.x + view.width || y + height < view.y || y > view.y + view.height) continue;
    context.globalAlpha = 1;
    context.fillStyle = colors.card;
    context.fillRect(x, y, width, height);
    context.globalAlpha = found !== null && !found.has(id) ? 0.12 : muted ? 0.3 : 0.6;
    context.fillStyle = mark !== null ? readVariable(mark) : (color ?? colors.node);
    context.fillRect(x, y, width, height);
  }
}

function readVariable(color: string): string {
  const name = /^var\((--[a-z-]+)\)$/.exec(color)?.[1];
  return name === undefined ? color : getComputedStyle(document.documentElement).getPropertyValue(name);
}
