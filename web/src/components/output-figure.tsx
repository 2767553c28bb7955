import { Download, FileText } from "lucide-react";
import { type ReactNode, useState } from "react";
import { formatSize } from "@/lib/format";

export type OutputKind = "image" | "video" | "audio" | "file";

type Props = { kind: OutputKind; name: string; size: number; src: string | null; save: ReactNode };

/** One file that a run made: shown if the browser can, and to be saved. `src` is null until it is there. */
export function OutputFigure({ kind, name, size, src, save }: Props) {
  const [broken, setBroken] = useState(false);
  const shown = broken ? "file" : kind;
  const fail = () => setBroken(true);
  return (
    <figure>
      {shown !== "file" && src === null && <div role="status" aria-label={`Loading ${name}`} className="h-40 animate-pulse bg-muted" />}
      {shown === "image" && src !== null && (
        <a href={src} target="_blank" rel="noreferrer" className="block bg-canvas outline-none focus-visible:ring-2 focus-visible:ring-ring">
          <img src={src} alt={name} className="mx-auto max-h-[34rem] min-h-40 max-w-full object-scale-down" onError={fail} />
        </a>
      )}
      {shown === "video" && src !== null && <video src={src} controls loop playsInline aria-label={name} className="max-h-[34rem] w-full bg-canvas" onError={fail} />}
      {shown === "audio" && src !== null && <audio src={src} controls aria-label={name} className="w-full p-2" onError={fail} />}
      <figcaption className="flex items-center gap-2 px-3 py-1.5 text-[0.84rem]">
        {shown === "file" && <FileText className="size-4 shrink-0 text-muted-foreground" />}
        <span className="min-w-0 flex-1 truncate" title={name}>
          {name}
        </span>
        <span className="shrink-0 text-muted-foreground tabular-nums">{formatSize(size)}</span>
        {save}
      </figcaption>
    </figure>
  );
}

/** Saves a file by its address. */
export function SaveLink({ href, name }: { href: string; name: string }) {
  return (
    <a href={href} download={name} aria-label={`Save ${name}`} title="Save" className="rounded-sm p-1 outline-none hover:bg-accent focus-visible:ring-2 focus-visible:ring-ring">
      <Download className="size-4 text-muted-foreground" />
    </a>
  );
}
