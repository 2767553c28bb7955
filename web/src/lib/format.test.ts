import { expect, it } from "vitest";
import { formatAgo, formatDuration, formatSize, shortDigest } from "./format";

it("sizes are decimal, as the command line has them", () => {
  expect([0, 999, 1000, 7_986_321_504, 42_571_264_000].map(formatSize)).toEqual(["0 B", "999 B", "1 kB", "7.99 GB", "42.6 GB"]);
});

it("durations are seconds, minutes, hours", () => {
  expect([4.26, 125, 7260].map(formatDuration)).toEqual(["4.3 s", "2 min 5 s", "2 h 1 min"]);
});

it("times are told by the largest unit that fits", () => {
  const now = Date.parse("2026-11-28T12:00:00Z");
  expect(formatAgo("2026-11-28T11:59:30Z", now)).toBe("just now");
  expect(formatAgo("2026-11-28T09:00:00Z", now)).toMatch(/^3\s?h/);
});

it("a digest is shown by its first digits", () => {
  expect(shortDigest(`sha256:${"ab".repeat(32)}`)).toBe("abababababab");
});
