import { describe, expect, it } from "vitest";
import { describeFix, requestOf } from "./fixes";

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

  it("that is advice is said as it is", () => {
    expect(describeFix({ advice: "free some space" })).toBe("free some space");
    expect(requestOf({ advice: "free some space" }, "portrait")).toBeNull();
  });
});
