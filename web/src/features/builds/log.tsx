import { useEffect, useRef } from "react";
import type { Line } from "@/api/events";
import { CopyButton } from "@/components/copy-button";
import { cn } from "@/lib/cn";

/** The lines that an operation printed; the newest stay in view while it runs, unless one has scrolled up. */
export function Log({ lines, live }: { lines: Line[]; live: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (live && atEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, live]);
  if (lines.length === 0) return null;
  return (
    <div className="relative rounded-lg border bg-card">
      <CopyButton text={lines.map((line) => line.text).join("\n")} label="the log" className="absolute top-1 right-3 z-10 bg-card" />
      <div
        ref={box}
        role="log"
        aria-label="Log"
        tabIndex={0}
        className="max-h-80 overflow-auto px-3 py-2 pr-10 font-mono text-[0.79rem] leading-relaxed outline-none focus-visible:ring-2 focus-visible:ring-ring"
        onScroll={(e) => {
          const { scrollTop, scrollHeight, clientHeight } = e.currentTarget;
          atEnd.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        {lines.map((line) => (
          <div key={line.seq} className={cn("break-words whitespace-pre-wrap", colour(line.text))}>
            {line.text}
          </div>
        ))}
      </div>
    </div>
  );
}

function colour(text: string): string {
  if (text.startsWith("error:")) return "text-destructive";
  if (text.startsWith("warning:")) return "text-warning";
  return text.startsWith("note:") ? "" : "text-muted-foreground";
}
