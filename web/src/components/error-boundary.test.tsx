// @vitest-environment happy-dom
import { cleanup, render, screen } from "@testing-library/react";
import { lazy, Suspense } from "react";
import { afterEach, expect, it, vi } from "vitest";
import { ErrorBoundary } from "./error-boundary";

afterEach(cleanup);

it("a part whose code does not come is an error with a way on, and the rest of the page stays", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const Gone = lazy(() => Promise.reject<{ default: () => null }>(new TypeError("Failed to fetch dynamically imported module")));
  render(
    <>
      <h1>Workflows</h1>
      <ErrorBoundary>
        <Suspense>
          <Gone />
        </Suspense>
      </ErrorBoundary>
    </>,
  );
  expect((await screen.findByRole("alert")).textContent).toContain("the server does not answer");
  expect(screen.getByRole("button", { name: "Load the page again" })).toBeTruthy();
  expect(screen.getByRole("heading", { name: "Workflows" })).toBeTruthy();
});
