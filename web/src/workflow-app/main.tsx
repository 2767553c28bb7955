import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@/lib/theme";
import "@/styles/app.css";
import { App } from "./app";
import { isUnauthorized, Refused } from "./client";
import { useKey } from "./session";

/** A server that is busy or restarts answers soon; what it refuses, it refuses again. */
function isWorthAnotherTry(failures: number, error: Error): boolean {
  return failures < 3 && (!(error instanceof Refused) || error.status === 0 || error.status >= 500);
}

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    // A key that is not taken any more: the first question asks for another.
    onError: (error, query) => {
      if (query.queryKey[0] !== "interface" && isUnauthorized(error) && useKey.getState().key !== null) void queries.invalidateQueries({ queryKey: ["interface"] });
    },
  }),
  defaultOptions: { queries: { staleTime: 10_000, retry: isWorthAnotherTry, retryDelay: 700 } },
});

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
