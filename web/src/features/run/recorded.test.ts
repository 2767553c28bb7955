import { expect, it } from "vitest";
import { inputsOf, lostOf } from "./recorded";

it("a run is done again with its values and the paths of its files; standard input is lost", () => {
  const run = { inputs: { seed: 7, image: "a.png", mask: "-" }, files: { image: "/home/a.png", mask: null } };
  expect(inputsOf(run)).toEqual({ seed: 7, image: "/home/a.png", mask: "-" });
  expect(lostOf(run)).toEqual(["mask"]);
});
