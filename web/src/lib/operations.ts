const TITLES: Record<string, string> = {
  build: "Build",
  lock: "Lock",
  verify: "Verify",
  restore: "Restore",
  "models-pull": "Fetch models",
  run: "Run",
};

/** What an operation is called, by its kind. */
export function titleOf(kind: string): string {
  return TITLES[kind] ?? kind;
}
