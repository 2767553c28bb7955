import { Search } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { Button } from "@/components/ui/button";

const load = () => import("./command-palette");
const CommandPalette = lazy(load);

const KEYS = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘K" : "Ctrl K";

/** Opens the commands, as Ctrl-K does anywhere. */
export function PaletteButton() {
  const [open, setOpen] = useState(false);
  // Whoever types on at once would type into nothing while it is fetched.
  useEffect(() => {
    window.requestIdleCallback?.(() => void load());
  }, []);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== "k") return;
      event.preventDefault();
      setOpen((was) => !was);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
  return (
    <>
      <Button variant="outline" size="sm" className="text-muted-foreground" aria-keyshortcuts="Control+K Meta+K" title={`Commands (${KEYS})`} onClick={() => setOpen(true)}>
        <Search aria-hidden />
        <span className="sr-only">Commands</span>
        <kbd className="hidden text-[0.74rem] md:inline">
          {KEYS}
        </kbd>
      </Button>
      {open && (
        <Suspense>
          <CommandPalette onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
