import { CircleDot, Redo2, Save, Undo2 } from "lucide-react";
import { useEffect, useState } from "react";
import { Button } from "@/components/ui/button";
import { count } from "@/lib/format";
import { type Draft, useDrafts } from "./drafts";
import { SaveDialog } from "./save-dialog";

/** What was changed and is not saved; `base` is the workflow as it is now. */
export function EditBar({ workflow, draft, base }: { workflow: string; draft: Draft; base: string }) {
  const { undo, redo, discard, rebase } = useDrafts();
  const [saving, setSaving] = useState(false);
  const edits = Object.values(draft.edits);
  const wrong = edits.filter((edit) => edit.problem !== "");
  const stale = draft.base !== base;

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select") !== null;
      if (typing || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
      event.preventDefault();
      (event.shiftKey ? redo : undo)(workflow);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [workflow, undo, redo]);

  return (
    <div role="region" aria-label="Changes" className="flex flex-wrap items-center gap-2 border-t bg-warning/8 px-4 py-2 md:px-6">
      <CircleDot className="size-4 text-warning" aria-hidden />
      <span role="status" className="text-[0.88rem] font-medium">
        {edits.length === 0 ? "No changes" : `${count(edits.length, "change")}, not saved`}
      </span>
      {wrong.length > 0 && <span className="text-[0.84rem] text-destructive">{count(wrong.length, "value")} not valid</span>}
      {stale && edits.length > 0 && (
        <span className="flex items-center gap-1.5 text-[0.84rem] text-warning">
          The workflow was changed elsewhere since.
          <Button variant="outline" size="sm" onClick={() => rebase(workflow, base)}>
            Keep mine
          </Button>
        </span>
      )}
      <div className="flex-1" />
      <Button variant="ghost" size="icon-sm" aria-label="Undo" title="Undo (Ctrl+Z)" disabled={draft.past.length === 0} onClick={() => undo(workflow)}>
        <Undo2 />
      </Button>
      <Button variant="ghost" size="icon-sm" aria-label="Redo" title="Redo (Ctrl+Shift+Z)" disabled={draft.future.length === 0} onClick={() => redo(workflow)}>
        <Redo2 />
      </Button>
      <Button variant="outline" size="sm" onClick={() => discard(workflow)}>
        Discard
      </Button>
      <Button size="sm" disabled={edits.length === 0 || wrong.length > 0 || stale} onClick={() => setSaving(true)}>
        <Save /> Save as a new version…
      </Button>
      {saving && <SaveDialog workflow={workflow} draft={draft} onClose={() => setSaving(false)} />}
    </div>
  );
}
