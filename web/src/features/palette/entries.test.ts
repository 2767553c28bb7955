import { expect, it } from "vitest";
import type { WorkflowEntry } from "@/api/schema";
import { listEntries, MAX_WORKFLOWS, scoreOf, workflowOf } from "./entries";

const workflow = (name: string, version: number | null = null): WorkflowEntry => ({
  ...{ schema_version: 1, name, state: "new", versions: version ?? 0, version, changed_at: "", built_at: null, size: null },
  ...{ manifest_digest: null, comfyui_version: null, folder: null, problem: null },
});

it("the workflow of the page comes first, with its tabs and what can be done with it", () => {
  const entries = listEntries([workflow("sky"), workflow("hello", 3)], "hello");
  expect(entries.slice(0, 6).map((one) => [one.group, one.title])).toEqual(["Graph", "Needs", "Versions", "Builds", "API", "Run"].map((title) => ["hello", title]));
  expect(entries.find((one) => one.id === "do build")?.deed).toEqual({ start: { kind: "build", workflow: "hello", message: "", locked: false } });
  expect(entries.find((one) => one.id === "do run")?.deed).toEqual({ start: { kind: "run", workflow: "hello@3", inputs: {} } });
  expect(entries.filter((one) => one.group === "Workflows").map((one) => one.title)).toEqual(["sky"]);
});

it("without a version nothing can be run; without a workflow there are pages, workflows and colours", () => {
  expect(listEntries([workflow("sky")], "sky").map((one) => one.id)).not.toContain("do run");
  const groups = new Set(listEntries([workflow("sky")], null).map((one) => one.group));
  expect([...groups]).toEqual(["Pages", "Workflows", "Do"]);
});

it("ids differ, and of thousands of workflows the newest are offered", () => {
  const entries = listEntries(Array.from({ length: 1000 }, (_, at) => workflow(`w${at}`)), "w0");
  expect(new Set(entries.map((one) => one.id)).size).toBe(entries.length);
  expect(entries.filter((one) => one.group === "Workflows")).toHaveLength(MAX_WORKFLOWS);
});

it("an address says which workflow it is about", () => {
  expect([workflowOf("/workflows/a%2Bb/run"), workflowOf("/system"), workflowOf("/")]).toEqual(["a+b", null, null]);
});

it("whoever may not build is offered no build", () => {
  const ids = (role: "view" | "run") => listEntries([workflow("hello", 3)], "hello", role).map((one) => one.id);
  expect(ids("run")).toContain("do run");
  expect(ids("run").filter((id) => ["do build", "do lock", "example"].includes(id))).toEqual([]);
  expect(ids("view")).not.toContain("do run");
});

it("what is typed finds titles before other words, and nothing by letters that lie far apart", () => {
  const scores = [scoreOf("hello", [], "hel"), scoreOf("my-hello", [], "hel"), scoreOf("othello", [], "hel"), scoreOf("System", ["doctor", "help"], "hel"), scoreOf("System", ["health"], "alth"), scoreOf("Add the example", [], "hel")];
  expect(scores).toEqual([0.9, 0.8, 0.6, 0.4, 0, 0]);
  expect([scoreOf("Build hello again", [], "bui hel"), scoreOf("hello", [], "")]).toEqual([0.8, 1]);
});
