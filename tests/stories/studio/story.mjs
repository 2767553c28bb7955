// Drives the studio as a person does, and says what it saw, a JSON object a line.
// usage: node story.mjs URL PICTURES WORKFLOW-FILE CHROMIUM; an address of a server that was started again is read from stdin
import fs from "node:fs";
import { createRequire } from "node:module";
import readline from "node:readline";

const require = createRequire(new URL("../../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [url, pictures, file, program] = process.argv.slice(2);
const address = new URL(url).origin;
const LONG = 6 * 60 * 1000;
const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const began = Date.now();
const say = (event, more = {}) => console.log(JSON.stringify({ event, at: (Date.now() - began) / 1000, ...more }));
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });
const faults = [];
let down = false; // what a page asks while there is no server fails, and is no fault

async function open(viewport, colorScheme, start) {
  const context = await browser.newContext({ viewport, colorScheme });
  await context.addInitScript(() => {
    window.shifted = 0;
    const add = (list) => list.getEntries().forEach((one) => (window.shifted += one.hadRecentInput ? 0 : one.value));
    new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !down && faults.push(message.text()));
  page.on("request", (request) => {
    if (!request.url().startsWith(address) && !/^(data|blob):/.test(request.url())) faults.push(`asked ${request.url()}`);
  });
  await page.goto(start);
  return page;
}

/** What `axe` finds wrong in a page. */
async function examine(page, screen) {
  await page.evaluate(axe);
  const found = await page.evaluate((runOnly) => window.axe.run(document, { resultTypes: ["violations"], runOnly }), WCAG);
  faults.push(...found.violations.map(({ id, nodes }) => `${screen}: ${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`));
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

/** Wait for the result of the operation that a page shows; what it shows instead is the error's text. */
async function finish(page, text) {
  await page
    .getByText(text)
    .first()
    .waitFor({ timeout: LONG })
    .catch(async (error) => {
      throw new Error(`${error.message}\n${await page.locator("main").innerText()}`);
    });
}

const digest = (page) => page.locator("dd code").filter({ hasText: /^sha256:/ }).first().textContent();
const steps = (page) => page.locator("ol > li").allTextContents();

const wide = { width: 1440, height: 900 };
const page = await open(wide, "light", url);

// A list that is empty but for what was dropped, with a script in every text.
await page.getByRole("heading", { name: "Workflows" }).waitFor();
if (file) {
  await drop(page, file);
  await page.locator(".react-flow__node-card").first().waitFor();
  say("dropped", { path: new URL(page.url()).pathname, alerted: await page.evaluate(() => window.alerted ?? false), images: await page.locator("img[src=x]").count() });
}

// The example, one click away.
await page.goto(`${address}/`);
await page.getByRole("button", { name: /example/i }).click();
await page.getByRole("heading", { name: /^hello/ }).waitFor();
const name = new URL(page.url()).pathname.split("/")[2];
await page.locator(".react-flow__node-card").first().waitFor();
say("example", { name, nodes: await page.locator(".react-flow__node-card").count() });

// It is built. The server is killed in the middle, and started again; the page is loaded again; a second browser looks on.
await page.getByRole("button", { name: /^Build/ }).click();
await page.getByRole("heading", { name: "Build", exact: true }).waitFor();
const build = page.url();
await page.getByRole("list").filter({ hasText: /Fetch|Lock|Pin|Build|Read|Resolve/ }).first().waitFor({ timeout: LONG });
down = true;
say("restart");
const again = (await answers.next()).value;
await page.goto(again);
await page.getByRole("heading", { name: "Workflows" }).waitFor();
down = false;
await page.goto(build);
await page.reload();
const other = await open(wide, "dark", again);
await other.getByRole("heading", { name: "Workflows" }).waitFor();
await other.goto(build);
for (const one of [page, other]) await finish(one, "Manifest digest");
const seen = await Promise.all([page, other].map(steps));
say("built", { digests: await Promise.all([page, other].map(digest)), steps: seen[0], same: JSON.stringify(seen[0]) === JSON.stringify(seen[1]) });

// It runs; another run is cancelled.
const tab = (title) => page.getByRole("tab", { name: title, exact: true }).click();
await tab("Run");
await page.getByLabel(/seed/i).first().fill("11");
await page.getByLabel(/width/i).first().fill("512");
await page.getByRole("button", { name: "Run", exact: true }).click();
const picture = page.locator("figure img");
await picture.waitFor({ timeout: LONG });
const size = await picture.evaluate(async (image) => (await image.decode(), image.naturalWidth));
say("ran", { width: size });
await page.getByRole("button", { name: "Run", exact: true }).click();
await page.getByRole("button", { name: "Cancel" }).click();
await page.locator("main").getByText("cancelled", { exact: true }).first().waitFor({ timeout: LONG });
say("cancelled");

// A value is changed, taken back, changed; the page is loaded again; what will happen is said, and happens.
await tab("Graph");
await page.locator(".react-flow__node-card").filter({ hasText: "HelloSky" }).click();
const seed = page.getByLabel("seed", { exact: true });
await seed.fill("7x");
await page.getByText("a whole number, in digits").waitFor();
const refused = await page.getByRole("button", { name: /Save as/ }).isDisabled();
await seed.fill("4242");
await page.getByRole("button", { name: "Undo" }).click();
const undone = await seed.inputValue();
await page.getByRole("button", { name: "Redo" }).click();
await page.getByLabel("palette", { exact: true }).selectOption("noon");
await page.reload();
await page.getByText("2 changes, not saved").waitFor();
await page.getByRole("button", { name: /Save as/ }).click();
const dialog = page.getByRole("dialog");
await dialog.getByText(/version 2/i).first().waitFor();
const plan = await dialog.innerText();
await examine(page, "save");
await dialog.getByRole("button", { name: "Save and build" }).click();
await page.getByRole("heading", { name: "Build", exact: true }).waitFor();
await finish(page, "Manifest digest");
say("changed", { refused, undone, plan, digest: await digest(page), text: await page.locator("main").innerText() });

// The two versions side by side: as a list, and in the graph.
await tab("Versions");
await page.getByRole("button", { name: "Compare" }).first().click();
await page.getByText(/to push/).waitFor();
const list = await page.locator("main").innerText();
await page.getByRole("button", { name: "Graph", exact: true }).click();
const marked = page.locator("[data-mark]");
await marked.first().waitFor();
const marks = await marked.allInnerTexts();
await page.reload();
await page.getByText(/to push/).waitFor();
say("compared", { list, marks });

// The first one is restored; the second browser sees it, and both versions.
await page.getByRole("button", { name: "Restore" }).last().click();
await dialog.getByText(/must have the digest/).waitFor();
const promise = await dialog.innerText();
await dialog.getByRole("button", { name: "Restore", exact: true }).click();
await finish(page, "bit for bit");
await other.goto(page.url());
await finish(other, "bit for bit");
const restored = await Promise.all([page, other].map(digest));
await other.getByRole("tab", { name: "Versions", exact: true }).click();
await other.getByText("v2", { exact: true }).waitFor();
say("restored", { promise, digests: restored, versions: await other.locator("article").count() });

// Each screen, in both widths and both colours: nothing is wider than the window or moves, and all can use it.
const MAX_SHIFT = 0.1; // what Core Web Vitals call good
const screens = { missing: "/no/such/page", workflows: "/", ...Object.fromEntries(["graph", "needs", "versions", "builds", "api", "run"].map((tab) => [tab, `/workflows/${name}/${tab}`])), compare: `/workflows/${name}/versions/1..2`, system: "/system" };
/** What is opened above a screen, with the keyboard alone. */
const opened = {
  commands: [screens.workflows, async (viewer) => (await viewer.keyboard.press("Control+k"), await viewer.getByPlaceholder("Page, workflow or command").waitFor())],
  restore: [screens.versions, async (viewer) => (await viewer.getByRole("button", { name: "Restore" }).last().press("Enter"), await viewer.getByText(/must have the digest/).waitFor())],
  node: [
    screens.graph,
    async (viewer) => {
      await viewer.locator(".react-flow__node-card").filter({ hasText: "HelloSky" }).press("Enter");
      await viewer.getByLabel("seed", { exact: true }).waitFor();
      if (!(await viewer.evaluate(() => document.activeElement.matches("aside")))) faults.push("a node that was opened with Enter has not the focus");
    },
  ],
};
async function look(viewer, screen, width, scheme) {
  const over = await viewer.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (over > 0) faults.push(`${screen} at ${width} is ${over} px too wide`);
  await examine(viewer, `${screen} at ${width}, ${scheme}`);
  await viewer.screenshot({ path: `${pictures}/${screen}-${width}-${scheme}.png` });
}
for (const width of [1440, 390]) {
  for (const scheme of ["light", "dark"]) {
    const viewer = await open({ width, height: width === 390 ? 844 : 900 }, scheme, again);
    await viewer.getByRole("heading", { name: "Workflows" }).waitFor();
    for (const [screen, path] of Object.entries(screens)) {
      await viewer.goto(address + path);
      await viewer.waitForFunction(() => document.querySelector("main") !== null && document.querySelector("[aria-label=Loading]") === null);
      const shifted = await viewer.evaluate(() => window.shifted);
      if (shifted > MAX_SHIFT) faults.push(`${screen} at ${width} moves by ${shifted.toFixed(2)} while it loads`);
      await look(viewer, screen, width, scheme);
    }
    // Half of the forms: each is looked at in either width and either colour.
    for (const [screen, [path, act]] of (width === 1440) === (scheme === "light") ? Object.entries(opened) : []) {
      await viewer.goto(address + path);
      await viewer.waitForFunction(() => document.querySelector("main h1") !== null && document.querySelector("[aria-label=Loading]") === null);
      await act(viewer);
      await look(viewer, screen, width, scheme);
    }
    await viewer.context().close();
  }
}
say("seen", { faults });
await browser.close();
process.exit(0);
