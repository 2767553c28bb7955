import { expect, it } from "vitest";
import type { WorkflowEntry } from "@/api/schema";
import { filterWorkflows } from "./filter";

const entry = (name: string, changed_at: string, size: number | null): WorkflowEntry => ({
  schema_version: 1,
  name,
  changed_at,
  size,
  state: "built",
  versions: 1,
  version: 1,
  built_at: changed_at,
  manifest_digest: null,
  comfyui_version: null,
  folder: null,
  problem: null,
});

const ALL = [entry("sky", "2026-01-02", null), entry("Portrait-XL", "2026-01-03", 5), entry("portrait", "2026-01-01", 9)];
const names = (found: WorkflowEntry[]) => found.map((one) => one.name);

it("every word must be in the name, in any case", () => {
  expect(names(filterWorkflows(ALL, "port xl", { by: "name", descending: false }))).toEqual(["Portrait-XL"]);
});

it("one without a size comes before those with one", () => {
  expect(names(filterWorkflows(ALL, "", { by: "size", descending: false }))).toEqual(["sky", "Portrait-XL", "portrait"]);
});

it("the newest comes first where that is asked for", () => {
  expect(names(filterWorkflows(ALL, "", { by: "changed_at", descending: true }))).toEqual(["Portrait-XL", "sky", "portrait"]);
});
