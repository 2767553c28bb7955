// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, it, vi } from "vitest";
import type { Parameter } from "./client";
import { FileField } from "./file-field";

// Before the client is made: it keeps the browser's function.
const server = vi.hoisted(() => {
  const server = { body: {}, status: 200, asked: [] as Request[] };
  globalThis.fetch = (request) => {
    server.asked.push(request as Request);
    return Promise.resolve(new Response(JSON.stringify(server.body), { status: server.status, headers: { "content-type": "application/json" } }));
  };
  return server;
});

afterEach(cleanup);

const ID = "0b3c1d5e-0000-4000-8000-000000000000";
const parameter = { name: "photo", type: "image", default: null } as unknown as Parameter;
const record = { id: ID, name: "me.png", content_type: "image/png", size: 1200, hash: "", url: "", created_at: "", expires_at: null };

function show(value: string, change = vi.fn()) {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <FileField id="x" described={undefined} parameter={parameter} value={value} onChange={change} />
    </QueryClientProvider>,
  );
  return change;
}

function answer(body: object, status: number) {
  Object.assign(server, { body, status, asked: [] });
}

it("a file that is dropped is sent, and its id is the value", async () => {
  answer(record, 201);
  const change = show("");
  fireEvent.drop(screen.getByText("Choose a file, or drop one here"), { dataTransfer: { types: ["Files"], files: [new File(["x"], "me.png", { type: "image/png" })] } });
  await vi.waitFor(() => expect(change).toHaveBeenCalledWith(ID));
  expect(server.asked[0]?.method).toBe("POST");
  expect(server.asked[0]?.url).toMatch(/v1\/files$/);
});

it("the chosen file is named, and can be removed", async () => {
  answer(record, 200);
  const change = show(ID);
  await screen.findByText("me.png");
  await userEvent.click(screen.getByRole("button", { name: "Remove me.png" }));
  expect(change).toHaveBeenCalledWith("");
});

it("what the server refuses is said", async () => {
  answer({ type: "about:blank", title: "", status: 413, code: "too_large", detail: "at most 5 bytes are taken here", errors: [] }, 413);
  show("");
  fireEvent.drop(screen.getByText("Choose a file, or drop one here"), { dataTransfer: { types: ["Files"], files: [new File(["x"], "me.png")] } });
  expect((await screen.findByRole("alert")).textContent).toBe("at most 5 bytes are taken here");
});
