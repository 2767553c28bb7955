import { useSyncExternalStore } from "react";

const FORM = /^#job=([0-9a-f-]{36})$/;

function subscribe(hear: () => void): () => void {
  window.addEventListener("hashchange", hear);
  return () => window.removeEventListener("hashchange", hear);
}

/** The job that the page shows: its id is in the address, so that it is there after a reload, and a way back is. */
export function useShownJob(): [string | null, (id: string | null) => void] {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  const show = (id: string | null) => {
    window.location.hash = id === null ? "" : `job=${id}`;
  };
  return [FORM.exec(hash)?.[1] ?? null, show];
}
