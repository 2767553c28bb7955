import { expect, it } from "vitest";
import { addEdit, type Draft, type Edit, editKey, redo, undo } from "./drafts";

const EMPTY: Draft = { base: "a", edits: {}, past: [], future: [], touched: null };
const edit = (key: string, text: string, old = "1"): Edit => ({ graph: "", node: "3", title: "Sample", key, at: 0, name: key, old, text, problem: "" });
const texts = (draft: Draft) => Object.values(draft.edits).map((one) => one.text);

it("what is typed into one field is one step back", () => {
  const typed = ["1", "12", "123", "1234"].reduce((draft, text) => addEdit(draft, edit("steps", text)), EMPTY);
  const both = addEdit(typed, edit("cfg", "8"));
  expect(texts(both)).toEqual(["1234", "8"]);
  expect(texts(undo(both))).toEqual(["1234"]);
  expect(texts(undo(undo(both)))).toEqual([]);
  expect(texts(redo(redo(undo(undo(both)))))).toEqual(["1234", "8"]);
});

it("a value that is as it was is no change, and that can be undone, too", () => {
  const back = addEdit(addEdit(EMPTY, edit("steps", "2")), edit("cfg", "8"));
  const none = addEdit(back, edit("steps", "1"));
  expect(texts(none)).toEqual(["8"]);
  expect(texts(undo(none))).toEqual(["2", "8"]);
});

it("a new change forgets what was undone", () => {
  const draft = addEdit(undo(addEdit(EMPTY, edit("steps", "2"))), edit("cfg", "8"));
  expect(redo(draft)).toBe(draft);
});

it("nothing to undo changes nothing", () => {
  expect(undo(EMPTY)).toBe(EMPTY);
  expect(addEdit(EMPTY, edit("steps", "1"))).toBe(EMPTY);
});

it("values of equal names in other nodes and graphs are others", () => {
  expect(new Set([edit("a", "2"), { ...edit("a", "2"), node: "4" }, { ...edit("a", "2"), graph: "g" }].map(editKey)).size).toBe(3);
});
