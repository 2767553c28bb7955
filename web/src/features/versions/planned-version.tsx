import type { PlannedVersion } from "@/api/schema";

/** What a version that would be made has in it, and what becomes of the working folder. */
export function Planned({ plan, lines }: { plan: PlannedVersion; lines: readonly string[] }) {
  const changes = plan.changes;
  return (
    <div className="space-y-2 text-[0.88rem] [overflow-wrap:anywhere]">
      <ul className="list-disc space-y-1 pl-5">
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
        <li>{plan.follows ? "The graph that is worked on here gets it, too." : "The graph that is worked on here has changes of its own: it stays as it is."}</li>
      </ul>
      {changes.length > 0 && (
        <div>
          <h3 className="mb-1 text-[0.78rem] font-medium text-muted-foreground">What changes</h3>
          <ul tabIndex={0} aria-label="What changes" className="max-h-48 overflow-y-auto rounded-md border bg-card text-[0.84rem] outline-none focus-visible:ring-2 focus-visible:ring-ring">
            {changes.map((line, at) => (
              <li key={at} className="border-b px-2 py-1 last:border-0">
                {line}
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
