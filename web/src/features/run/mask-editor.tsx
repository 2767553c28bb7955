import { Eraser, Paintbrush, Undo2 } from "lucide-react";
import { type KeyboardEvent, type PointerEvent, useEffect, useId, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog, DialogBody, DialogFooter } from "@/components/ui/dialog";
import { joinMask, makePng, MASK_COLOR, MAX_PIXELS, nameMasked, readMask } from "./mask";

const MAX_UNDO = 20;
const STEP = 0.5; // brushes that an arrow key moves

/** `file` is the picture, `masked` the same with the mask that it has so far: below that, a browser forgets the colours. */
type Props = { file: File; masked: File; onClose: () => void; onDone: (masked: File) => void };
type Place = { x: number; y: number };

/** Paints a mask over a picture: what is painted is what a workflow may change. */
export default function MaskEditor({ file, masked, onClose, onDone }: Props) {
  const id = useId();
  const picture = useRef<HTMLCanvasElement>(null);
  const mask = useRef<HTMLCanvasElement>(null);
  const last = useRef<Place | null>(null);
  const [past, setPast] = useState<ImageData[]>([]);
  const [size, setSize] = useState(0);
  const [brush, setBrush] = useState(40);
  const [erases, setErases] = useState(false);
  const [cursor, setCursor] = useState<Place | null>(null);
  const [problem, setProblem] = useState("");

  useEffect(() => {
    let gone = false;
    void Promise.all([loadPicture(file), loadPicture(masked)]).then(
      ([bitmap, before]) => {
        const [below, above] = [picture.current, mask.current];
        if (gone || below === null || above === null) return;
        for (const one of [below, above]) [one.width, one.height] = [bitmap.width, bitmap.height];
        contextOf(below).drawImage(bitmap, 0, 0);
        contextOf(above).drawImage(before, 0, 0);
        const { data } = contextOf(above).getImageData(0, 0, bitmap.width, bitmap.height);
        contextOf(above).putImageData(new ImageData(readMask(data), bitmap.width, bitmap.height), 0, 0);
        setBrush(Math.max(4, Math.round(Math.max(bitmap.width, bitmap.height) / 20)));
        setSize(Math.max(bitmap.width, bitmap.height));
      },
      (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
    );
    return () => {
      gone = true;
    };
  }, [file, masked]);

  const remember = () => {
    const above = mask.current;
    if (above !== null) setPast((was) => [...was.slice(1 - MAX_UNDO), contextOf(above).getImageData(0, 0, above.width, above.height)]);
  };
  const undo = () => {
    const [before, above] = [past.at(-1), mask.current];
    if (before === undefined || above === null) return;
    contextOf(above).putImageData(before, 0, 0);
    setPast(past.slice(0, -1));
  };
  const stroke = (from: Place, to: Place) => {
    if (mask.current === null) return;
    const context = contextOf(mask.current);
    context.globalCompositeOperation = erases ? "destination-out" : "source-over";
    context.strokeStyle = `rgb(${MASK_COLOR.join()})`;
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = brush;
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
  };
  const press = (event: PointerEvent<HTMLCanvasElement>) => {
    if (event.button !== 0 || size === 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    remember();
    last.current = placeOf(event);
    stroke(last.current, last.current);
  };
  const move = (event: PointerEvent<HTMLCanvasElement>) => {
    if (last.current === null) return;
    const to = placeOf(event);
    stroke(last.current, to);
    last.current = to;
  };
  const type = (event: KeyboardEvent<HTMLCanvasElement>) => {
    const above = mask.current;
    if (above === null || size === 0) return;
    const from = cursor ?? { x: above.width / 2, y: above.height / 2 };
    const steps: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const step = steps[event.key];
    if (event.key === " ") {
      remember();
      stroke(from, from);
    } else if (step === undefined) return;
    event.preventDefault();
    const to = step === undefined ? from : { x: Math.min(above.width, Math.max(0, from.x + step[0] * brush * STEP)), y: Math.min(above.height, Math.max(0, from.y + step[1] * brush * STEP)) };
    if (event.shiftKey && step !== undefined) stroke(from, to);
    setCursor(to);
  };
  const change = (how: (alpha: number) => number) => {
    const above = mask.current;
    if (above === null) return;
    remember();
    const context = contextOf(above);
    const image = context.getImageData(0, 0, above.width, above.height);
    for (let at = 0; at < image.data.length; at += 4) {
      image.data.set(MASK_COLOR, at);
      image.data[at + 3] = how(image.data[at + 3] as number);
    }
    context.putImageData(image, 0, 0);
  };
  const save = () => {
    const [below, above] = [picture.current, mask.current];
    if (below === null || above === null) return;
    const { width, height } = below;
    const [colors, painted] = [below, above].map((one) => contextOf(one).getImageData(0, 0, width, height).data);
    if (colors === undefined || painted === undefined) return;
    onDone(new File([makePng(joinMask(colors, painted), width, height)], nameMasked(file.name), { type: "image/png" }));
  };
  return (
    <Dialog title="Mask" description="Paint over what the workflow may change." onClose={onClose}>
      <DialogBody>
        {problem !== "" && (
          <p role="alert" className="text-destructive">
            {problem}
          </p>
        )}
        <div className="relative mx-auto w-fit max-w-full overflow-hidden rounded-md bg-canvas">
          <canvas ref={picture} aria-hidden className="block max-h-[50dvh] max-w-full" />
          <canvas
            ref={mask}
            tabIndex={0}
            role="img"
            aria-label="The mask. Arrow keys move the brush, space paints, Shift with an arrow key draws."
            aria-describedby={`${id}-keys`}
            className="absolute inset-0 size-full cursor-crosshair touch-none opacity-60 outline-none focus-visible:ring-2 focus-visible:ring-ring"
            onPointerDown={press}
            onPointerMove={move}
            onPointerUp={() => {
              last.current = null;
            }}
            onKeyDown={type}
            onBlur={() => setCursor(null)}
          />
          {cursor !== null && mask.current !== null && (
            <span
              className="pointer-events-none absolute -translate-1/2 rounded-full border-2 border-ring"
              style={{ left: `${(cursor.x / mask.current.width) * 100}%`, top: `${(cursor.y / mask.current.height) * 100}%`, width: `${(brush / mask.current.width) * 100}%`, aspectRatio: "1" }}
            />
          )}
        </div>
        <div className="flex flex-wrap items-center gap-1.5">
          <Button variant={erases ? "outline" : "secondary"} size="sm" aria-pressed={!erases} onClick={() => setErases(false)}>
            <Paintbrush /> Paint
          </Button>
          <Button variant={erases ? "secondary" : "outline"} size="sm" aria-pressed={erases} onClick={() => setErases(true)}>
            <Eraser /> Erase
          </Button>
          <Button variant="outline" size="icon-sm" aria-label="Undo" title="Undo" disabled={past.length === 0} onClick={undo}>
            <Undo2 />
          </Button>
          <label className="flex items-center gap-2 text-[0.84rem]">
            Brush
            <input type="range" className="w-28 accent-primary" min={2} max={Math.max(2, Math.round(size / 3))} value={brush} disabled={size === 0} onChange={(e) => setBrush(e.target.valueAsNumber)} />
          </label>
          <Button variant="ghost" size="sm" onClick={() => change(() => 255)}>
            All
          </Button>
          <Button variant="ghost" size="sm" onClick={() => change(() => 0)}>
            Nothing
          </Button>
          <Button variant="ghost" size="sm" onClick={() => change((alpha) => 255 - alpha)}>
            Invert
          </Button>
        </div>
        <p id={`${id}-keys`} className="text-[0.8rem] text-muted-foreground">
          What is pink is masked. Keys: arrows move the brush, space paints, Shift and an arrow draws.
        </p>
      </DialogBody>
      <DialogFooter>
        <Button variant="ghost" onClick={onClose}>
          Leave it
        </Button>
        <Button disabled={size === 0} onClick={save}>
          <Paintbrush /> Use the mask
        </Button>
      </DialogFooter>
    </Dialog>
  );
}

async function loadPicture(file: File): Promise<ImageBitmap> {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (bitmap === null) throw new Error("This browser cannot show the picture.");
  if (bitmap.width * bitmap.height > MAX_PIXELS) throw new Error("The picture is too large to be painted on here.");
  return bitmap;
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  return canvas.getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
}

/** Where the pointer is, in pixels of the picture. */
function placeOf(event: PointerEvent<HTMLCanvasElement>): Place {
  const canvas = event.currentTarget;
  const box = canvas.getBoundingClientRect();
  return { x: ((event.clientX - box.x) / box.width) * canvas.width, y: ((event.clientY - box.y) / box.height) * canvas.height };
}
