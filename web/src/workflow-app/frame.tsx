import { Code, KeyRound, Moon, Sun } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { useTheme } from "@/lib/theme";

type Props = { title: string; version?: string | null; onForget?: () => void; children: ReactNode };

/** The bar at the top, and the page below it. `onForget` is there while a key is kept. */
export function Frame({ title, version, onForget, children }: Props) {
  const { dark, set } = useTheme();
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <div className="flex min-h-dvh flex-col">
      <header className="sticky top-0 z-30 flex h-12 items-center gap-2 border-b bg-background/95 px-4 backdrop-blur">
        <img src="./icon.svg" alt="" className="size-5" />
        <h1 className="min-w-0 truncate text-[0.95rem] font-semibold">{title}</h1>
        {version != null && <Badge variant="outline">v{version}</Badge>}
        <div className="flex-1" />
        {onForget !== undefined && (
          <Button variant="ghost" size="icon" aria-label="Forget the key" title="Forget the key" onClick={onForget}>
            <KeyRound />
          </Button>
        )}
        <Button asChild variant="ghost" size="sm">
          <a href="./docs">
            <Code /> API
          </a>
        </Button>
        <Button variant="ghost" size="icon" aria-label={dark ? "Light colours" : "Dark colours"} title={dark ? "Light colours" : "Dark colours"} onClick={() => set(dark ? "light" : "dark")}>
          {dark ? <Sun /> : <Moon />}
        </Button>
      </header>
      <main className="flex min-h-0 flex-1 flex-col">{children}</main>
    </div>
  );
}
