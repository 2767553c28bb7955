// Drives the page of an image's gateway as a person does, and says what it saw, a JSON object a line.
// usage: node story.mjs URL KEYED-URL KEY PICTURES CHROMIUM
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [url, keyed, key, pictures, program] = process.argv.slice(2);
const LONG = 2 * 60 * 1000;
const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const began = Date.now();
const say = (event, more = {}) => console.log(JSON.stringify({ event, at: (Date.now() - began) / 1000, ...more }));

const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });
const faults = [];
const refusals = []; // the browser says each 401 and 422 that is asked for
const asked = new Set();
const phone = { width: 390, height: 844 };
const wide = { width: 1440, height: 900 };

async function open(viewport, colorScheme, start) {
  const context = await browser.newContext({ viewport, colorScheme, hasTouch: viewport.width < 500 });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && (/status of 4(01|22)/.test(message.text()) ? refusals : faults).push(message.text()));
  page.on("request", (request) => {
    const from = new URL(start).origin;
    if (!request.url().startsWith(from) && !/^(data|blob):/.test(request.url())) faults.push(`asked ${request.url()}`);
    if (request.url().startsWith("http")) asked.add(new URL(request.url()).pathname);
  });
  await page.goto(start);
  return page;
}

/** A picture of a screen, which is not wider than the window; and what axe finds wrong in it. */
async function look(page, screen, { axe: examine = true, whole = true } = {}) {
  const { width } = page.viewportSize();
  const scheme = await page.evaluate(() => (document.documentElement.classList.contains("dark") ? "dark" : "light"));
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (over > 0) faults.push(`${screen} at ${width} is ${over} px too wide`);
  await page.screenshot({ path: `${pictures}/app-${screen}-${width}-${scheme}.png`, fullPage: whole });
  if (!examine) return;
  await page.evaluate(axe);
  const found = await page.evaluate((runOnly) => window.axe.run(document, { resultTypes: ["violations"], runOnly }), WCAG);
  faults.push(...found.violations.map(({ id, nodes }) => `${screen} at ${width}: ${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`));
}

const result = (page) => page.getByRole("region", { name: "Result" });
const run = (page) => page.getByRole("button", { name: "Run", exact: true }).click();

async function picture(page) {
  const image = result(page).locator("figure img");
  await image.waitFor({ timeout: LONG });
  return image.evaluate(async (one) => (await one.decode(), [one.naturalWidth, one.naturalHeight]));
}

async function fill(page, values) {
  for (const [name, value] of Object.entries(values)) await page.getByLabel(name, { exact: false }).first().fill(String(value));
}

const shown = (page) => new URL(page.url()).hash.replace("#job=", "");

// On a phone: the form is filled and sent; the picture comes; the job is in the history.
const hand = await open(phone, "light", url);
await hand.getByRole("heading", { level: 1 }).waitFor();
await hand.getByRole("button", { name: "Run", exact: true }).waitFor();
await look(hand, "empty");
await fill(hand, { Width: 512, Height: 320, Title: "From a phone" });
await run(hand);
const size = await picture(hand);
await hand.getByRole("heading", { name: "History" }).waitFor();
await result(hand).getByText("done", { exact: true }).waitFor();
await look(hand, "done");
say("phone", { size, job: shown(hand) });

// At a desk, in the dark: the same job by its address, its values used again; the seed that was drawn is one of them.
const desk = await open(wide, "dark", `${url}/#job=${shown(hand)}`);
await picture(desk);
await result(desk).getByRole("button", { name: "Use these values" }).click();
const seed = await desk.getByLabel(/^Seed/).inputValue();
const title = await desk.getByLabel(/^Title/).inputValue();
await run(desk);
await desk.waitForFunction((before) => window.location.hash !== `#job=${before}`, shown(hand));
await picture(desk);
await result(desk).getByText("done", { exact: true }).waitFor();
await look(desk, "done");
say("again", { seed, title, job: shown(desk) });

// A value that is refused is said at its input, and sent nowhere.
await fill(desk, { Width: 1 });
await run(desk);
await desk.getByText("greater than or equal to 64").waitFor();
await look(desk, "refused");
say("refused", { invalid: await desk.getByLabel(/^Width/).getAttribute("aria-invalid") });

// A large one takes a while: it is followed; the page is loaded again in the middle; it is cancelled.
await fill(desk, { Width: 5120, Height: 2560 });
await run(desk);
await result(desk).getByRole("list", { name: "Nodes" }).waitFor();
const nodes = await result(desk).getByRole("list", { name: "Nodes" }).innerText();
await desk.reload();
await result(desk).getByRole("progressbar").waitFor();
const kept = await desk.getByLabel(/^Width/).inputValue();
await look(desk, "running");
await desk.getByRole("button", { name: "Cancel" }).click();
await result(desk).getByText("cancelled", { exact: true }).waitFor({ timeout: LONG });
say("cancelled", { nodes, kept });

// A gateway with keys: a wrong one, the right one, a run whose picture needs it, and a reload.
const locked = await open(wide, "light", keyed);
const keyField = locked.getByLabel("Key", { exact: true });
await keyField.waitFor();
await look(locked, "key");
await keyField.fill("not-the-key");
await keyField.press("Enter");
await locked.getByText("That key is not known here.").waitFor();
await keyField.fill(key);
await keyField.press("Enter");
await fill(locked, { Width: 256, Height: 160 });
await run(locked);
const locker = await picture(locked);
const source = await result(locked).locator("figure img").getAttribute("src");
await locked.reload();
await picture(locked);
const other = await open(wide, "light", `${keyed}/#job=${shown(locked)}`);
await other.getByLabel("Key", { exact: true }).waitFor();
say("keyed", { size: locker, source, others: await other.locator("img[src^=blob], figure").count() });

// Each screen in the other width and colours.
const job = shown(hand);
for (const [viewport, scheme] of [
  [wide, "light"],
  [phone, "dark"],
]) {
  const viewer = await open(viewport, scheme, url);
  await viewer.getByRole("button", { name: "Run", exact: true }).waitFor();
  await viewer.getByRole("heading", { name: "History" }).waitFor();
  await look(viewer, "empty", { axe: false });
  await viewer.goto(`${url}/#job=${job}`);
  await picture(viewer);
  await look(viewer, "done");
  await viewer.context().close();
}
const small = await open(phone, "dark", keyed);
await small.getByLabel("Key", { exact: true }).waitFor();
await look(small, "key");
say("seen", { faults, refusals: refusals.length, asked: [...asked].filter((path) => !path.startsWith("/v1/")) });
await browser.close();
process.exit(0);
