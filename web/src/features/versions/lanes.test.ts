import { expect, it } from "vitest";
import { layLanes } from "./lanes";

const commits = (...all: string[]) => all.map((one) => ({ commit: one[0] as string, parents: [...one.slice(1)] }));

it("one workflow is one line", () => {
  const { rows, width } = layLanes(commits("cb", "ba", "a"), "c");
  expect(width).toBe(1);
  expect(rows.map((row) => [row.lane, row.above, row.below])).toEqual([[0, false, true], [0, true, true], [0, true, false]]);
});

it("a branch has a lane of its own, and ends where it began; its workflow's own line is the leftmost one", () => {
  const { rows, width } = layLanes(commits("eb", "cb", "ba", "a"), "c");
  expect(width).toBe(2);
  expect(rows[0]).toEqual({ lane: 1, above: false, below: true, through: [], joins: [], forks: [] });
  expect(rows[1]).toEqual({ lane: 0, above: false, below: true, through: [1], joins: [], forks: [] });
  expect(rows[2]).toEqual({ lane: 0, above: true, below: true, through: [], joins: [1], forks: [] });
});

it("a merge begins the lane of what it brought", () => {
  const { rows } = layLanes(commits("mdc", "db", "cb", "ba", "a"), "m");
  expect(rows.map((row) => row.lane)).toEqual([0, 0, 1, 0, 0]);
  expect(rows[0]?.forks).toEqual([1]);
  expect(rows[1]?.through).toEqual([1]);
  expect(rows[3]?.joins).toEqual([1]);
});

it("a branch that goes on from the newest version joins its line from above", () => {
  const { rows } = layLanes(commits("ec", "cb", "b"), "c");
  expect(rows[0]?.lane).toBe(1);
  expect(rows[1]).toMatchObject({ lane: 0, above: false, joins: [1] });
});

it("a lane that ended is used again, and parents that are not listed keep their lane to the end", () => {
  const { rows, width } = layLanes(commits("fb", "ba", "gx", "yz"), null);
  expect(width).toBe(3);
  expect(rows.map((row) => row.lane)).toEqual([0, 0, 1, 2]);
  expect(layLanes([], null)).toEqual({ rows: [], width: 1 });
});
