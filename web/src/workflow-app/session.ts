import { create } from "zustand";

const KEY = "pycomfy-key";

/** The key that the user gave, for as long as this tab is open. */
export const useKey = create<{ key: string | null; set: (key: string | null) => void }>()((set) => ({
  key: window.sessionStorage.getItem(KEY),
  set: (key) => {
    if (key === null) window.sessionStorage.removeItem(KEY);
    else window.sessionStorage.setItem(KEY, key);
    set({ key });
  },
}));

export function authorization(): Record<string, string> {
  const { key } = useKey.getState();
  return key === null ? {} : { authorization: `Bearer ${key}` };
}

/** A JSON value that a storage of the browser holds. What cannot be read, or kept, is as if it was not there. */
export function readStored<T>(storage: Storage, name: string, fallback: T): T {
  try {
    return (JSON.parse(storage.getItem(name) ?? "null") as T | null) ?? fallback;
  } catch {
    return fallback;
  }
}

export function store(storage: Storage, name: string, value: unknown): void {
  try {
    storage.setItem(name, JSON.stringify(value));
  } catch {
    // It is full, or the browser has none for this page: the page works without.
  }
}
