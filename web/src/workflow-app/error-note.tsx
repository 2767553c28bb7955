import { TriangleAlert } from "lucide-react";
import { Button } from "@/components/ui/button";
import { Refused } from "./client";

/** What went wrong, in the server's words, and a way on. */
export function ErrorNote({ error, retry }: { error: unknown; retry?: () => unknown }) {
  const message = error instanceof Error ? error.message : String(error);
  const more = error instanceof Refused ? (error.problem?.errors ?? []).filter((one) => one.detail !== message) : [];
  return (
    <div role="alert" className="flex items-start gap-2.5 rounded-lg border border-destructive/30 bg-card p-3">
      <TriangleAlert className="mt-0.5 size-4 shrink-0 text-destructive" />
      <div className="min-w-0 flex-1 space-y-2">
        <p className="font-medium break-words">{message}</p>
        {more.length > 0 && (
          <ul className="space-y-0.5 text-[0.84rem] break-words text-muted-foreground">
            {more.slice(0, 20).map((one, at) => (
              <li key={at}>{one.detail}</li>
            ))}
          </ul>
        )}
        {retry !== undefined && (
          <Button variant="outline" size="sm" onClick={() => void retry()}>
            Try again
          </Button>
        )}
      </div>
    </div>
  );
}
