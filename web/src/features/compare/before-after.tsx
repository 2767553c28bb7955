import { useState } from "react";
import { cn } from "@/lib/cn";
import type { Picture } from "@/lib/pictures";

/** Two pictures in one frame: the first one left of the slider, the second one right of it. */
export function BeforeAfter({ before, after, labels }: { before: Picture; after: Picture; labels: [string, string] }) {
  const [at, setAt] = useState(50);
  return (
    <figure className="min-w-0">
      <div className="relative overflow-hidden rounded-md border bg-canvas has-focus-visible:ring-2 has-focus-visible:ring-ring">
        <img src={before.url} alt={`${before.name} of ${labels[0]}`} className="block max-h-[32rem] min-h-24 w-full object-contain" draggable={false} />
        <img src={after.url} alt={`${after.name} of ${labels[1]}`} className="absolute inset-0 size-full bg-canvas object-contain" style={{ clipPath: `inset(0 0 0 ${at}%)` }} draggable={false} />
        <div className="pointer-events-none absolute inset-y-0 w-0.5 -translate-x-1/2 bg-background shadow-[0_0_0_1px_var(--foreground)]" style={{ left: `${at}%` }} aria-hidden>
          <span className="absolute top-1/2 left-1/2 grid size-7 -translate-1/2 place-items-center rounded-full border bg-background text-[0.8rem] shadow">↔</span>
        </div>
        <Label className="left-2" text={labels[0]} faint={at < 12} />
        <Label className="right-2" text={labels[1]} faint={at > 88} />
        <input
          type="range"
          min={0}
          max={100}
          value={at}
          onChange={(e) => setAt(e.target.valueAsNumber)}
          aria-label={`How much of ${labels[0]} is seen`}
          aria-valuetext={`${at} % ${labels[0]}, ${100 - at} % ${labels[1]}`}
          className="absolute inset-0 size-full cursor-ew-resize opacity-0"
        />
      </div>
      <figcaption className="mt-1 truncate text-[0.78rem] text-muted-foreground">{after.name}</figcaption>
    </figure>
  );
}

function Label({ text, faint, className }: { text: string; faint: boolean; className: string }) {
  return <span className={cn("pointer-events-none absolute top-2 rounded bg-background/85 px-1.5 py-0.5 text-[0.76rem] font-medium", faint && "opacity-0", className)}>{text}</span>;
}
