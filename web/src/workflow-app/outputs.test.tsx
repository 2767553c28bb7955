// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import type { InterfaceView, Job, OutputFile } from "./client";
import { groupOutputs, Outputs } from "./outputs";

afterEach(cleanup);

const file = (id: string, more: Partial<OutputFile>): OutputFile => ({
  id,
  name: `${id}.bin`,
  node: "9",
  key: "files",
  type: "file",
  content_type: "application/octet-stream",
  size: 1000,
  hash: null,
  url: "",
  value: null,
  stored_at: null,
  ...more,
});

const about = { interface: { version: 1, parameters: [], outputs: [{ name: "picture", kind: "image", node: "1", title: "Save" }] } } as unknown as InterfaceView;
const job = (outputs: Record<string, OutputFile[]>, others: OutputFile[] = []) => ({ outputs, other_outputs: others }) as unknown as Job;

it("outputs have the interface's order, and those that events told have their place among them, once", () => {
  const a = file("a", { node: "1" });
  const groups = groupOutputs(about, job({ picture: [a] }, [file("z", {})]), [a, file("b", { node: "1" })]);
  expect(groups.map(({ title, files }) => [title, files.map((one) => one.id)])).toEqual([
    ["Save", ["a", "b"]],
    ["Others", ["z"]],
  ]);
});

it("each kind is shown as what it is, a text as text, and all can be saved", () => {
  const files = [
    file("a", { type: "image", name: "a.png" }),
    file("b", { type: "video", name: "b.mp4" }),
    file("c", { type: "audio", name: "c.mp3" }),
    file("d", { type: "text", value: "<script>alert(1)</script>" }),
    file("e", { type: "latent", name: "e.latent" }),
  ];
  const { container } = render(
    <QueryClientProvider client={new QueryClient()}>
      <Outputs groups={[{ title: "All", files }]} />
    </QueryClientProvider>,
  );
  expect(screen.getByRole("img", { name: "a.png" }).getAttribute("src")).toMatch(/v1\/files\/a\/content$/);
  expect(container.querySelectorAll("video, audio")).toHaveLength(2);
  expect(screen.getByText("<script>alert(1)</script>")).toBeTruthy();
  expect(container.querySelector("script")).toBeNull();
  expect(screen.getAllByLabelText(/^Save /)).toHaveLength(5);
});
