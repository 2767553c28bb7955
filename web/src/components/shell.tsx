import { useQuery } from "@tanstack/react-query";
import { HeartPulse, LoaderCircle, Moon, Sun, SunMoon, UserRound, WifiOff } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { useLive } from "@/api/live";
import { operationsQuery } from "@/api/queries";
import { sessionQuery } from "@/api/edit-queries";
import { signOut } from "@/api/session";
import { Button } from "@/components/ui/button";
import {
  DropdownMenu,
  DropdownMenuContent,
  DropdownMenuItem,
  DropdownMenuLabel,
  DropdownMenuTrigger,
} from "@/components/ui/dropdown-menu";
import { OperationState } from "@/components/state-badge";
import { count, formatAgo } from "@/lib/format";
import { pathOf, titleOf } from "@/lib/operations";
import { type Theme, useTheme } from "@/lib/theme";

/** The bar at the top, with what opens the `commands`, and the page below it. */
export function Shell({ commands, children }: { commands: ReactNode; children: ReactNode }) {
  const connected = useLive((state) => state.connected);
  return (
    <div className="flex min-h-dvh flex-col">
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2 focus:rounded focus:bg-card focus:p-2">
        Skip to the content
      </a>
      <header className="sticky top-0 z-30 flex h-12 items-center gap-3 border-b bg-background/95 px-4 backdrop-blur">
        <Link href="/" className="flex items-center gap-2 rounded-sm font-semibold outline-none focus-visible:ring-2 focus-visible:ring-ring">
          <img src="/icon.svg" alt="" className="size-5" />
          pycomfy
        </Link>
        <div className="flex-1" />
        {!connected && (
          <span role="status" className="flex items-center gap-1.5 text-[0.82rem] text-warning">
            <WifiOff className="size-4" /> <span className="hidden sm:inline">no connection; trying again</span>
          </span>
        )}
        {commands}
        <Operations />
        <Button asChild variant="ghost" size="sm">
          <Link href="/system" aria-label="System">
            <HeartPulse /> <span className="hidden sm:inline">System</span>
          </Link>
        </Button>
        <UserMenu />
        <ThemeMenu />
      </header>
      <main id="main" className="flex min-h-0 flex-1 flex-col">
        {children}
      </main>
    </div>
  );
}

function Operations() {
  const { data: operations = [] } = useQuery(operationsQuery());
  const busy = operations.filter((one) => one.state === "running" || one.state === "waiting");
  const shown = [...busy, ...operations.filter((one) => !busy.includes(one))].slice(0, 8);
  return (
    <DropdownMenu>
      <DropdownMenuTrigger asChild>
        <Button variant="ghost" size="sm">
          {busy.length > 0 && <LoaderCircle className="animate-spin text-info" />}
          {busy.length > 0 ? count(busy.length, "operation") : "Operations"}
        </Button>
      </DropdownMenuTrigger>
      <DropdownMenuContent align="end" className="w-80 max-w-[calc(100vw-1rem)]">
        {shown.length === 0 && <DropdownMenuLabel>Nothing was started from here yet</DropdownMenuLabel>}
        {shown.map((one) => (
          <DropdownMenuItem key={one.id} asChild>
            <Link href={pathOf(one)}>
              <span className="min-w-0 flex-1 truncate">
                {titleOf(one.kind)} <span className="text-muted-foreground">{one.workflow}</span>
              </span>
              <time className="shrink-0 text-[0.8rem] text-muted-foreground" dateTime={one.created_at}>
                {formatAgo(one.created_at)}
              </time>
              <OperationState state={one.state} />
            </Link>
          </DropdownMenuItem>
        ))}
      </DropdownMenuContent>
    </DropdownMenu>
  );
}

/** Who one is, where several people use the server. */
function UserMenu() {
  const { data } = useQuery(sessionQuery);
  if (data === undefined || data.name === "") return null;
  return (
    <DropdownMenu>
      <DropdownMenuTrigger asChild>
        <Button variant="ghost" size="sm" aria-label={`You are ${data.name}`}>
          <UserRound /> <span className="hidden max-w-40 truncate sm:inline">{data.name}</span>
        </Button>
      </DropdownMenuTrigger>
      <DropdownMenuContent align="end">
        <DropdownMenuLabel className="max-w-64 break-words">
          {data.name}, role “{data.role}”
        </DropdownMenuLabel>
        {data.sign_in_with === "key" && <DropdownMenuItem onSelect={() => void signOut()}>Sign out</DropdownMenuItem>}
      </DropdownMenuContent>
    </DropdownMenu>
  );
}

const THEMES: [Theme, string, typeof Sun][] = [
  ["light", "Light", Sun],
  ["dark", "Dark", Moon],
  ["system", "As the system", SunMoon],
];

function ThemeMenu() {
  const { theme, dark, set } = useTheme();
  const Current = dark ? Moon : Sun;
  return (
    <DropdownMenu>
      <DropdownMenuTrigger asChild>
        <Button variant="ghost" size="icon" aria-label="Colours">
          <Current />
        </Button>
      </DropdownMenuTrigger>
      <DropdownMenuContent align="end">
        <DropdownMenuLabel>Colours</DropdownMenuLabel>
        {THEMES.map(([value, label, Icon]) => (
          <DropdownMenuItem key={value} onSelect={() => set(value)}>
            <Icon /> <span className="flex-1">{label}</span>
            {theme === value && <span aria-label="chosen">✓</span>}
          </DropdownMenuItem>
        ))}
      </DropdownMenuContent>
    </DropdownMenu>
  );
}
