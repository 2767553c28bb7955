import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { problemOf } from "@/api/client";
import { sessionQuery } from "@/api/edit-queries";
import { connectLive } from "@/api/live";
import { openSession } from "@/api/session";
import { App } from "@/app";
import { Locked } from "@/components/locked";
import "@/lib/theme";
import "@/styles/index.css";

/** A server that is busy or restarts answers soon; what it refuses, it refuses again. */
function isWorthAnotherTry(failures: number, error: Error): boolean {
  const { status } = problemOf(error);
  return failures < 3 && (status === 0 || status === 409 || status >= 500);
}

const queries = new QueryClient({
  defaultOptions: { queries: { staleTime: 15_000, retry: isWorthAnotherTry, retryDelay: 500, refetchOnWindowFocus: true } },
});

async function start(): Promise<void> {
  const root = createRoot(document.getElementById("root") as HTMLElement);
  const { session, signInWith } = await openSession().catch(() => ({ session: null, signInWith: "token" as const }));
  if (session !== null) {
    queries.setQueryData(sessionQuery.queryKey, session);
    connectLive(queries);
  }
  root.render(
    <StrictMode>
      <QueryClientProvider client={queries}>{session !== null ? <App /> : <Locked signInWith={signInWith} />}</QueryClientProvider>
    </StrictMode>,
  );
}

void start();
