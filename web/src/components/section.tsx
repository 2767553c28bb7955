import { type ReactNode, useId } from "react";

type Props = { title: string; count?: number; note?: string; actions?: ReactNode; children: ReactNode };

/** A titled part of a page. */
export function Section({ title, count, note, actions, children }: Props) {
  const id = useId();
  return (
    <section aria-labelledby={id} className="space-y-2">
      <div className="flex min-h-8 flex-wrap items-center gap-x-2 gap-y-1">
        <h2 id={id} className="text-[0.95rem] font-semibold">
          {title}
        </h2>
        {count !== undefined && <span className="text-muted-foreground tabular-nums">{count}</span>}
        {note !== undefined && <span className="text-[0.84rem] text-muted-foreground">{note}</span>}
        <div className="flex-1" />
        {actions}
      </div>
      {children}
    </section>
  );
}
