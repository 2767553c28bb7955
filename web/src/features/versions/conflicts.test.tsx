// @vitest-environment happy-dom
import { cleanup, render, screen, within } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { Conflicts } from "./conflicts";

afterEach(cleanup);

it("a conflict is a node, with what either side made of it; of a file it says only that both changed it", () => {
  render(
    <Conflicts
      here="hello"
      there="fast"
      conflicts={[
        { subject: "node 2 (KSampler)", node: "2", here: ["steps 20 → 30"], there: ["steps 20 → 40", "cfg 1 → 2"] },
        { subject: "README.md", node: null, here: [], there: [] },
      ]}
    />,
  );
  const [, first, second] = screen.getAllByRole("row");
  expect(within(first as HTMLElement).getAllByRole("cell").map((cell) => cell.textContent)).toEqual(["node 2 (KSampler)", "steps 20 → 30", "steps 20 → 40cfg 1 → 2"]);
  expect(within(second as HTMLElement).getAllByText("changed")).toHaveLength(2);
});
