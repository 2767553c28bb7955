import { useQuery } from "@tanstack/react-query";
import { CircleDot, type LucideIcon, Palette, Play, Plus, Search, SquareArrowOutUpRight } from "lucide-react";
import { useEffect, useMemo, useRef } from "react";
import { useLocation } from "wouter";
import { problemOf } from "@/api/client";
import { sessionQuery } from "@/api/edit-queries";
import { useAddWorkflow, useStartOperation, workflowsQuery } from "@/api/queries";
import { ProblemView } from "@/components/problem-view";
import { Command, CommandEmpty, CommandGroup, CommandInput, CommandItem, CommandList } from "@/components/ui/command";
import { pathOf } from "@/lib/operations";
import { useTheme } from "@/lib/theme";
import { type Deed, type Entry, listEntries, scoreOf, workflowOf } from "./entries";

/** Finds pages, workflows and what can be done, by typing. It is the browser's own dialog, as `Dialog` is. */
export default function CommandPalette({ onClose }: { onClose: () => void }) {
  const element = useRef<HTMLDialogElement>(null);
  const [path, navigate] = useLocation();
  const { data: workflows, isPending } = useQuery(workflowsQuery);
  const setTheme = useTheme((state) => state.set);
  const start = useStartOperation();
  const add = useAddWorkflow();
  const { data: session } = useQuery(sessionQuery);
  const role = session?.role ?? "owner";
  const current = workflowOf(path);
  const groups = useMemo(() => Map.groupBy(listEntries(workflows ?? [], current, role), (entry) => entry.group), [workflows, current, role]);
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    // The list around it could have the focus as well, and the browser takes what comes first.
    dialog?.querySelector("input")?.focus();
    return () => dialog?.close();
  }, []);

  const act = async (deed: Deed) => {
    if ("go" in deed) navigate(deed.go);
    else if ("theme" in deed) setTheme(deed.theme);
    else if ("add" in deed) {
      const added = await add.mutateAsync(deed.add).catch(() => null);
      if (added === null) return;
      navigate(`/workflows/${added.name}`);
    } else {
      const operation = await start.mutateAsync(deed.start).catch(() => null);
      if (operation === null) return;
      navigate(pathOf(operation));
    }
    onClose();
  };
  const error = start.error ?? add.error;
  return (
    <dialog
      ref={element}
      aria-label="Commands"
      onCancel={(e) => {
        e.preventDefault();
        onClose();
      }}
      onClick={(e) => e.target === element.current && onClose()}
      className="fixed inset-x-0 top-[12dvh] m-auto mt-0 w-[calc(100vw-1rem)] max-w-xl overflow-hidden rounded-lg border bg-popover p-0 text-foreground shadow-xl backdrop:bg-black/45 open:flex open:flex-col"
    >
      <Command label="Commands" loop filter={(_, search, keywords = []) => scoreOf(keywords[0] ?? "", keywords.slice(1), search)}>
        <div className="relative border-b">
          <Search className="pointer-events-none absolute top-3.5 left-3.5 size-4 text-muted-foreground" aria-hidden />
          <CommandInput className="border-b-0 pl-10" placeholder="Page, workflow or command" />
        </div>
        <CommandList label="What was found">
          <CommandEmpty>
            {/* A list of options may not be without any. */}
            <div role="option" aria-selected={false} aria-disabled>
              {isPending ? "Loading" : "Nothing is called that."}
            </div>
          </CommandEmpty>
          {/* All at once, or the first to come would stay the one that Enter does. */}
          {(isPending ? [] : [...groups]).map(([group, entries]) => (
            <CommandGroup key={group} heading={group}>
              {entries.map((entry) => (
                <Item key={entry.id} entry={entry} onSelect={() => void act(entry.deed)} />
              ))}
            </CommandGroup>
          ))}
        </CommandList>
      </Command>
      {error !== null && (
        <div role="alert" className="border-t p-3">
          <ProblemView problem={problemOf(error)} />
        </div>
      )}
      <p className="hidden gap-4 border-t px-4 py-1.5 text-[0.78rem] text-muted-foreground sm:flex" aria-hidden>
        <span>↑ ↓ choose</span>
        <span>Enter does it</span>
        <span>Esc closes</span>
      </p>
    </dialog>
  );
}

function Item({ entry, onSelect }: { entry: Entry; onSelect: () => void }) {
  const Icon = iconOf(entry.deed);
  return (
    <CommandItem value={entry.id} keywords={[entry.title, entry.group, ...entry.words]} onSelect={onSelect}>
      <Icon aria-hidden />
      <span className="min-w-0 flex-1 truncate">{entry.title}</span>
    </CommandItem>
  );
}

function iconOf(deed: Deed): LucideIcon {
  if ("go" in deed) return SquareArrowOutUpRight;
  if ("theme" in deed) return Palette;
  if ("add" in deed) return Plus;
  return deed.start.kind === "run" ? Play : CircleDot;
}
