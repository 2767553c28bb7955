// @vitest-environment happy-dom
import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, it, vi } from "vitest";
import { answer, listEvidence, packName, splitQuestions } from "./questions";
import { QuestionsForm } from "./questions-form";

afterEach(cleanup);

const candidate = (url: string, more = {}) => ({ url, stars: 3, updated: null, ...more });
const problem = (type: string, ...urls: string[]) => ({ message: `ambiguous node type "${type}"`, where: `node of ${type}`, fixes: [], types: [type], candidates: urls.map((url) => candidate(url)) });
const FACE = problem("Face", "https://github.com/a/face.git", "https://github.com/b/face");
const SEED = problem("Seed", "https://git.test/seed");
const OTHER = { message: "no commit", where: "", fixes: [] };

it("questions are told from other problems, also where there is only one", () => {
  const { questions, others } = splitQuestions({ message: "", problems: [FACE, OTHER] });
  expect([questions.map((one) => one.types), others]).toEqual([[["Face"]], [OTHER]]);
  expect(splitQuestions(SEED).questions).toHaveLength(1);
  expect(splitQuestions(OTHER)).toEqual({ questions: [], others: [OTHER] });
});

it("a pack is preferred by the name that the command line takes", () => {
  expect(FACE.candidates.map(packName)).toEqual(["a/face", "b/face"]);
  expect(packName(candidate("https://git.test/x.git"))).toBe("https://git.test/x");
});

it("what does not fit is said against a candidate", () => {
  expect(listEvidence(candidate("u", { fitting: 1, saved: 2, problems: ["no input x"] }))[0]).toEqual({ text: "does not fit: no input x", against: true });
  expect(listEvidence(candidate("u", { fitting: 2, saved: 2 }))[0]).toEqual({ text: "fits 2 of 2 saved inputs and outputs", against: false });
});

it("nothing is chosen beforehand, and all must be answered", async () => {
  const onAnswer = vi.fn();
  render(<QuestionsForm questions={splitQuestions({ message: "", problems: [FACE, SEED] }).questions} onAnswer={onAnswer} busy={false} />);
  const button = screen.getByRole("button", { name: /Lock with these answers/ }) as HTMLButtonElement;
  expect(screen.getAllByRole("radio").some((radio) => (radio as HTMLInputElement).checked)).toBe(false);
  await userEvent.click(screen.getByRole("radio", { name: /b\/face/ }));
  expect(button.disabled).toBe(true);
  await userEvent.click(screen.getByRole("radio", { name: /git\.test/ }));
  await userEvent.click(button);
  expect(onAnswer).toHaveBeenCalledWith(["b/face", "https://git.test/seed"]);
});

it("answers are added to what was preferred before", () => {
  expect(answer({ kind: "lock", workflow: "w", prefer: ["x"], packs: ["p=u"], update: [] }, "w", ["y"])).toEqual({ kind: "lock", workflow: "w", prefer: ["y", "x"], packs: ["p=u"], update: [] });
  expect(answer({ kind: "build", workflow: "w", message: "", locked: false }, "w", ["y"])).toMatchObject({ kind: "lock", prefer: ["y"] });
});
