// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { BeforeAfter } from "./before-after";

afterEach(cleanup);

it("the slider, which keys move as well, says and shows how much of each is seen", () => {
  render(<BeforeAfter before={{ url: "/a", name: "sky.png" }} after={{ url: "/b", name: "sky.png" }} labels={["version 1", "version 2"]} />);
  const slider = screen.getByRole("slider", { name: "How much of version 1 is seen" });
  fireEvent.change(slider, { target: { value: "30" } });
  expect(slider.getAttribute("aria-valuetext")).toBe("30 % version 1, 70 % version 2");
  expect(screen.getByAltText("sky.png of version 2").style.clipPath).toBe("inset(0 0 0 30%)");
});
