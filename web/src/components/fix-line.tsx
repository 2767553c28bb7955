import { Wrench } from "lucide-react";
import { Copyable } from "@/components/copy-button";
import { commandOf, describeFix, type Fix, readFixes } from "@/lib/fixes";

/** A command to copy, where a fix is one; else its words. */
export function FixLine({ fix }: { fix: Fix }) {
  return (
    <p className="flex min-w-0 items-baseline gap-x-1.5 text-[0.84rem] [overflow-wrap:anywhere] text-muted-foreground">
      <Wrench className="size-3.5 shrink-0 translate-y-0.5" aria-label="fix" />
      <span className="flex min-w-0 flex-1 flex-wrap items-center gap-x-1.5">
        <FixWords fix={fix} />
      </span>
    </p>
  );
}

/** Fixes that the server wrote as one text. */
export function FixText({ text }: { text: string }) {
  return readFixes(text).map((fix) => (
    <span key={describeFix(fix)} className="flex min-w-0 flex-wrap items-center gap-x-1.5">
      <FixWords fix={fix} />
    </span>
  ));
}

function FixWords({ fix }: { fix: Fix }) {
  const command = commandOf(fix);
  if (command === null) return <span className="min-w-0 flex-1">{describeFix(fix)}</span>;
  return (
    <>
      <Copyable text={command} label="the command" />
      {fix.note !== undefined && fix.note !== "" && <span>{fix.note}</span>}
    </>
  );
}
