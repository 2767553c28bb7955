// @vitest-environment happy-dom
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Button } from "@/components/ui/button";
import { isEnough, refusalOf, roleOf } from "@/lib/roles";
import { KeyForm } from "./locked";

afterEach(() => vi.unstubAllGlobals());

describe("signing in", () => {
  it("sends the key, and says what the server says of a wrong one", async () => {
    const sent: string[] = [];
    vi.stubGlobal("fetch", (_: string, options: RequestInit) => {
      sent.push(String(options.body));
      const wrong = { title: "", status: 401, code: "unauthorized", message: "this is not a key of this server" };
      return Promise.resolve(sent.length === 1 ? new Response(JSON.stringify(wrong), { status: 401 }) : new Response(null, { status: 204 }));
    });
    const done = vi.fn();
    render(<KeyForm done={done} />);
    await userEvent.type(screen.getByLabelText("Your key"), " wrong ");
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    expect((await screen.findByRole("alert")).textContent).toBe("this is not a key of this server");
    expect(done).not.toHaveBeenCalled();
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    await vi.waitFor(() => expect(done).toHaveBeenCalledOnce());
    expect(sent).toEqual([JSON.stringify({ token: "wrong" }), JSON.stringify({ token: "wrong" })]);
  });
});

describe("roles", () => {
  it("may what those before them may", () => {
    expect([isEnough("view", "run"), isEnough("run", "run"), isEnough("build", "run"), isEnough("build", "owner")]).toEqual([false, true, true, false]);
  });

  it("says why somebody may not", () => {
    expect([refusalOf("build", roleOf("build")), refusalOf("run", roleOf("run"))]).toEqual([undefined, undefined]);
    expect(refusalOf("view", roleOf("restore"))).toBe("This needs the role “build”; yours is “view”");
    expect(refusalOf("build", "owner")).toBe("Only who started the server may do this");
  });

  it("a button that is refused does nothing, has the focus, and says why", async () => {
    const press = vi.fn();
    const submit = vi.fn((event: { preventDefault: () => void }) => event.preventDefault());
    render(
      <form onSubmit={submit}>
        <Button type="submit" refused="not for you" onClick={press}>
          Build
        </Button>
      </form>,
    );
    const button = screen.getByRole("button", { name: "Build", description: "not for you" });
    await userEvent.click(button);
    button.blur();
    button.focus();
    await userEvent.keyboard("{Enter}");
    expect([press.mock.calls.length, submit.mock.calls.length, document.activeElement === button]).toEqual([0, 0, true]);
  });
});
