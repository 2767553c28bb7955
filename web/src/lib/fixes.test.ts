import { describe, expect, it } from "vitest";
import { commandOf, describeFix, readFixes, requestOf } from "./fixes";

describe("a fix", () => {
  it("that prefers a pack becomes a lock with that pack", () => {
    const fix = { action: "retry", use_case: "lock", arguments: { prefer: "impact-pack" }, note: "takes it from there" };
    expect(requestOf(fix, "portrait")).toEqual({ kind: "lock", workflow: "portrait", prefer: ["impact-pack"], packs: [], update: [] });
    expect(describeFix(fix)).toBe("lock again with prefer = impact-pack (takes it from there)");
  });

  it("with a value that only the user knows is no button", () => {
    const fix = { action: "retry", use_case: "lock", arguments: { pack: { placeholder: "NAME=URL" } } };
    expect(requestOf(fix, "portrait")).toBeNull();
    expect(describeFix(fix)).toBe("lock again with pack = NAME=URL");
  });

  it("for the machine is an operation without a workflow, wherever it is offered", () => {
    expect(requestOf({ action: "archive verify", arguments: { repair: true }, note: "from the store" }, "portrait")).toEqual({ kind: "archive-verify", workflow: "", repair: true });
    expect(requestOf({ action: "gc", arguments: { keep: 1, loaded: true } }, "portrait")).toEqual({ kind: "gc", workflow: "", keep: 1, loaded: true });
    const others = [{ action: "gc", arguments: { caches: true } }, { action: "gc", arguments: { keep: { placeholder: "N" } } }, { action: "constructor" }];
    expect(others.map((fix) => requestOf(fix, "portrait"))).toEqual([null, null, null]);
  });

  it("that is advice is said as it is", () => {
    expect(describeFix({ advice: "free some space" })).toBe("free some space");
    expect(requestOf({ advice: "free some space" }, "portrait")).toBeNull();
  });
});

it("a fix of switches and numbers is a command to copy; one that needs something from a person is not", () => {
  expect(commandOf({ action: "gc", arguments: { loaded: true, older_than: 30 } })).toBe("pycomfy gc --loaded --older-than 30");
  expect(commandOf({ action: "archive verify", arguments: { repair: true } })).toBe("pycomfy archive verify --repair");
  expect(commandOf({ action: "show", arguments: { reference: "hello@3" } })).toBe("pycomfy show hello@3");
  expect(commandOf({ action: "rm", arguments: { name: "a b", force: true } })).toBe("pycomfy rm 'a b' --force");
  const others = [{ action: "show" }, { action: "show", arguments: { reference: "--x" } }, { advice: "start it" }, { action: "retry", arguments: {} }, { action: "pull", arguments: { remote: { placeholder: "REMOTE" } } }, { action: "models add", arguments: { place: "x; rm -rf" } }, { action: "gc; rm", arguments: {} }, { action: "archive pull" }, { action: "build", arguments: { sandbox: false } }];
  expect(others.map(commandOf)).toEqual(others.map(() => null));
});

it("fixes in a text are read; what is no command stays as it is", () => {
  expect(readFixes("gc keep=1 (the layers of older versions); or gc loaded=True").map(commandOf)).toEqual(["pycomfy gc --keep 1", "pycomfy gc --loaded"]);
  expect(readFixes("gc keep=1 (the layers of older versions)")[0]?.note).toBe("the layers of older versions");
  expect(readFixes("lock workflow=/data/x")).toEqual([{ action: "lock", arguments: { workflow: "/data/x" }, note: "" }]);
  expect(readFixes("see Nix's message above")).toEqual([{ advice: "see Nix's message above" }]);
});
