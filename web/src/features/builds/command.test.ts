import { expect, it } from "vitest";
import { commandOf } from "./command";

it("is what a shell takes as one command, whatever the values are", () => {
  expect(commandOf({ kind: "models-pull", arguments: { workflow: "sky@2" } })).toBe("pycomfy models pull sky@2");
  expect(commandOf({ kind: "run", arguments: { workflow: "sky@2", inputs: { text: "it's $HOME", seed: 4 } } })).toBe(
    `pycomfy run sky@2 -i 'text=it'"'"'s $HOME' -i seed=4`,
  );
  expect(commandOf({ kind: "lock", arguments: { workflow: "sky", prefer: ["a pack"] } })).toBe("pycomfy lock workflows/sky --prefer 'a pack'");
});
