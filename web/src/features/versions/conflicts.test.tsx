// @vitest-environment happy-dom
import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, it, vi } from "vitest";
import { askFor } from "./choices";
import { Conflicts } from "./conflicts";

afterEach(cleanup);

const NODE = { subject: "node 2 (KSampler)", node: "2", here: ["steps 20 → 30"], there: ["steps 20 → 40", "cfg 1 → 2"] };
const OTHER = { ...NODE, subject: "node 3 (SaveImage)", node: "3" };
const FILE = { subject: "README.md", node: null, here: [], there: [] };

it("a conflict is a node, with what either side made of it; of a file it says only that both changed it", () => {
  render(<Conflicts here="hello" there="fast" choices={{}} onChoose={() => undefined} conflicts={[NODE, FILE]} />);
  expect(screen.getAllByRole("row").map((row) => row.textContent)).toEqual(["hellotake allfasttake all", "node 2 (KSampler)", "steps 20 → 30steps 20 → 40cfg 1 → 2", "README.md", "changedchanged"]);
});

it("a side is chosen for each node, or for all at once", async () => {
  const choose = vi.fn();
  render(<Conflicts here="hello" there="fast" choices={{ 2: "ours" }} onChoose={choose} conflicts={[NODE, OTHER, FILE]} />);
  expect(screen.getAllByRole("radio", { checked: true })).toHaveLength(1);
  await userEvent.click(screen.getByRole("radio", { name: "node 3 (SaveImage): fast" }));
  await userEvent.click(screen.getByRole("button", { name: "Take all of fast" }));
  expect(choose.mock.calls.map(([choices]) => choices as unknown)).toEqual([
    { 2: "ours", 3: "theirs" },
    { 2: "theirs", 3: "theirs", "": "theirs" },
  ]);
});

it("nothing is asked for while a choice is open; one side for everything is asked for as such", () => {
  expect(askFor([NODE, FILE], { 2: "ours" })).toBeNull();
  expect(askFor([NODE, FILE], { 2: "ours", "": "ours" })).toEqual({ prefer: "ours", nodes: {} });
  expect(askFor([NODE, FILE], { 2: "ours", "": "theirs" })).toEqual({ prefer: "theirs", nodes: { 2: "ours" } });
  expect(askFor([NODE, OTHER], { 2: "ours", 3: "theirs" })).toEqual({ prefer: null, nodes: { 2: "ours", 3: "theirs" } });
});
