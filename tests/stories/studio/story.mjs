// Drives the studio as a person does, and says what it saw, a JSON object a line.
// usage: node story.mjs URL PICTURES WORKFLOW-FILE
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [url, pictures, file, program] = process.argv.slice(2);
const address = new URL(url).origin;
const LONG = 6 * 60 * 1000;
const say = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));

const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });
const faults = [];

async function open(viewport, colorScheme, start = url) {
  const context = await browser.newContext({ viewport, colorScheme });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("request", (request) => {
    if (!request.url().startsWith(address) && !/^(data|blob):/.test(request.url())) faults.push(`asked ${request.url()}`);
  });
  await page.goto(start);
  return page;
}

async function drop(page, path) {
  const data = fs.readFileSync(path).toString("base64");
  const transfer = await page.evaluateHandle(
    ([text, name]) => {
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name, { type: "application/json" }));
      return transfer;
    },
    [data, path.split("/").pop()],
  );
  await page.dispatchEvent("main", "dragover", { dataTransfer: transfer });
  await page.getByText("Drop it to add the workflow").waitFor();
  await page.dispatchEvent("main", "drop", { dataTransfer: transfer });
}

const wide = { width: 1440, height: 900 };
const page = await open(wide, "light");

// A list that is empty but for what was dropped, with a script in every text.
await page.getByRole("heading", { name: "Workflows" }).waitFor();
if (file) {
  await drop(page, file);
  await page.locator(".react-flow__node-card").first().waitFor();
  say("dropped", { at: new URL(page.url()).pathname, alerted: await page.evaluate(() => window.alerted ?? false), images: await page.locator("img[src=x]").count() });
}

// The example, one click away.
await page.goto(`${address}/`);
await page.getByRole("button", { name: /example/i }).click();
await page.getByRole("heading", { name: /^hello/ }).waitFor();
const name = new URL(page.url()).pathname.split("/")[2];
await page.locator(".react-flow__node-card").first().waitFor();
say("example", { name, nodes: await page.locator(".react-flow__node-card").count() });

// It is built; the page is loaded again in the middle, and a second browser looks on.
await page.getByRole("button", { name: /^Build/ }).click();
await page.getByRole("heading", { name: "Build", exact: true }).waitFor();
const build = page.url();
await page.getByRole("list").filter({ hasText: /Fetch|Lock|Pin|Build|Read|Resolve/ }).first().waitFor({ timeout: LONG });
await page.reload();
const other = await open(wide, "dark");
await other.goto(build);
say("building");
for (const one of [page, other]) {
  const seen = one.getByText("Manifest digest").waitFor({ timeout: LONG });
  await seen.catch(async (error) => {
    throw new Error(`${error.message}\n${await one.locator("main").innerText()}`);
  });
}
const digests = await Promise.all([page, other].map((one) => one.locator("dd code").filter({ hasText: /^sha256:/ }).first().textContent()));
const steps = await Promise.all([page, other].map((one) => one.locator("ol > li").allTextContents()));
say("built", { digests, steps: steps[0], same: JSON.stringify(steps[0]) === JSON.stringify(steps[1]) });

// Each screen, in both widths and both colours: nothing is wider than the window.
const screens = { workflows: "/", ...Object.fromEntries(["graph", "needs", "versions", "builds", "api", "run"].map((tab) => [tab, `/workflows/${name}/${tab}`])) };
for (const width of [1440, 390]) {
  for (const scheme of ["light", "dark"]) {
    const viewer = await open({ width, height: width === 390 ? 844 : 900 }, scheme);
    await viewer.getByRole("heading", { name: "Workflows" }).waitFor();
    for (const [screen, path] of Object.entries(screens)) {
      await viewer.goto(address + path);
      await viewer.waitForLoadState("networkidle");
      await viewer.waitForFunction(() => document.querySelector("[aria-label=Loading]") === null);
      const over = await viewer.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (over > 0) faults.push(`${screen} at ${width} is ${over} px too wide`);
      await viewer.screenshot({ path: `${pictures}/${screen}-${width}-${scheme}.png` });
    }
    await viewer.context().close();
  }
}
say("seen", { faults });
await browser.close();
