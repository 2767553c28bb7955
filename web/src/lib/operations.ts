const TITLES: Record<string, string> = {
  build: "Build",
  lock: "Lock",
  verify: "Verify",
  restore: "Restore",
  "models-pull": "Fetch models",
  run: "Run",
  gc: "Free the disk",
  reindex: "Make the database anew",
  "catalog-update": "Update the catalog",
  "archive-fill": "Fill the archive",
  "archive-verify": "Verify the archive",
  "models-verify": "Verify models",
};

/** The page of an operation; one without a workflow is for the machine. */
export function pathOf({ id, workflow }: { id: string; workflow: string }): string {
  return workflow === "" ? `/system/operations/${id}` : `/workflows/${workflow}/builds/${id}`;
}

/** What an operation is called, by its kind. */
export function titleOf(kind: string): string {
  return TITLES[kind] ?? kind;
}
