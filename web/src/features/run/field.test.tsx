// @vitest-environment happy-dom
import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, it, vi } from "vitest";
import type { Parameter } from "@/api/schema";
import { Field } from "./field";

afterEach(cleanup);

const parameter = (more: Partial<Parameter>): Parameter => ({ name: "x", type: "text", targets: [{ node: "1", input: "x" }], default: null, choices: [], multiline: false, title: "", description: "", ...more });

it("each type has its control, with the workflow's own value", () => {
  const all: [Partial<Parameter>, string][] = [
    [{ name: "text", default: "a" }, "textbox"],
    [{ name: "on", type: "boolean", default: true }, "checkbox"],
    [{ name: "size", type: "integer", default: 3, minimum: 1, maximum: 9 }, "spinbutton"],
    [{ name: "way", type: "choice", default: "b", choices: ["a", "b"] }, "combobox"],
  ];
  for (const [more] of all) render(<Field parameter={parameter(more)} value={undefined} onChange={() => undefined} />);
  for (const [more, role] of all) expect(screen.getByRole(role, { name: new RegExp(`^${more.name}`) })).toBeTruthy();
  expect((screen.getByRole("combobox") as HTMLSelectElement).value).toBe("b");
  expect(screen.getByText("1 to 9")).toBeTruthy();
});

it("a choice keeps the type that the workflow has", async () => {
  const change = vi.fn();
  render(<Field parameter={parameter({ type: "choice", choices: [1, 2], default: 1 })} value={undefined} onChange={change} />);
  await userEvent.selectOptions(screen.getByRole("combobox"), "2");
  expect(change).toHaveBeenCalledWith(2);
});

it("a seed can be drawn", async () => {
  const change = vi.fn();
  render(<Field parameter={parameter({ type: "integer", targets: [{ node: "1", input: "seed" }], default: 7 })} value={undefined} onChange={change} />);
  await userEvent.click(screen.getByRole("button", { name: "Draw a seed" }));
  expect(Number.isSafeInteger(change.mock.calls[0]?.[0])).toBe(true);
});
