import { decode } from "fast-png";
import { expect, it } from "vitest";
import { joinMask, makePng, nameMasked, readMask } from "./mask";

const picture = new Uint8ClampedArray([10, 20, 30, 255, 40, 50, 60, 255]);
const mask = new Uint8ClampedArray([255, 255, 255, 255, 0, 0, 0, 64]);

it("the mask is what alpha leaves, and colours stay below it", () => {
  const { data, channels, depth, width, height } = decode(makePng(joinMask(picture, mask), 2, 1));
  expect([...data]).toEqual([10, 20, 30, 0, 40, 50, 60, 191]);
  expect([channels, depth, width, height]).toEqual([4, 8, 2, 1]);
});

it("a picture that has a mask already begins with that", () => {
  expect([...readMask(joinMask(picture, mask) as unknown as Uint8ClampedArray)].filter((_, at) => at % 4 === 3)).toEqual([255, 64]);
});

it("what is sent is a PNG, and is named once as masked", () => {
  expect(["cat.jpg", "cat-masked.png", "cat", "a.b.webp"].map(nameMasked)).toEqual(["cat-masked.png", "cat-masked.png", "cat-masked.png", "a.b-masked.png"]);
});
