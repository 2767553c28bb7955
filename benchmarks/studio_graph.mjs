// Opens a workflow's graph in the studio, and moves it, as a person with a mouse does. Prints JSON.
// usage: node studio_graph.mjs URL-WITH-TOKEN WORKFLOW CHROMIUM PICTURES
import { createRequire } from "node:module";

const require = createRequire(new URL("../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [url, workflow, program, pictures] = process.argv.slice(2);
const SECONDS = 3;
const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });

/** A page of a browser that has nothing of the studio yet. */
async function begin() {
  const made = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  made.setDefaultTimeout(120_000);
  return made;
}

/** Milliseconds from the navigation until something is drawn, and the page has a moment for who uses it. */
function drawn(page, selector) {
  return page.evaluate(
    (selector) =>
      new Promise((done) => {
        const look = () => (document.querySelector(selector) === null ? requestAnimationFrame(look) : requestAnimationFrame(() => setTimeout(() => done(performance.now()))));
        look();
      }),
    selector,
  );
}

async function open() {
  await page.goto(new URL(`/workflows/${workflow}/graph`, url).href);
  return drawn(page, ".react-flow__node-card");
}

/** Frames per second while the graph is dragged to and fro; and the longest frame. */
function pan() {
  return page.evaluate((seconds) => {
    const pane = document.querySelector(".react-flow__pane");
    const box = pane.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const send = (type, to, at) => to.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true, view: window, clientX: x + at * 0.8, clientY: y + at * 0.5, button: 0, buttons: 1 }));
    send("mousedown", pane, 0);
    return new Promise((done) => {
      const began = performance.now();
      let [frames, last, longest] = [0, began, 0];
      const step = (now) => {
        frames += 1;
        if (frames > 1) longest = Math.max(longest, now - last);
        last = now;
        // 1,200 pixels a second, back after half a second.
        const time = ((now - began) / 1000) % 1;
        send("mousemove", window, (time < 0.5 ? time : 1 - time) * 1200);
        if (now - began < seconds * 1000) requestAnimationFrame(step);
        else {
          send("mouseup", window, 0);
          done({ fps: (frames * 1000) / (now - began), longest });
        }
      };
      requestAnimationFrame(step);
    });
  }, SECONDS);
}

const first = [];
let page;
for (let run = 0; run < 5; run += 1) {
  page = await begin();
  await page.goto(url);
  first.push(await drawn(page, `a[href^="/workflows/${workflow}"]`));
}
const opened = [];
for (let run = 0; run < 5; run += 1) opened.push(await open());
const answer = await page.evaluate(async (name) => {
  const began = performance.now();
  const text = await (await fetch(`/api/workflows/${name}/graph`)).text();
  return { ms: performance.now() - began, bytes: text.length };
}, workflow);
const near = await pan();
await page.screenshot({ path: `${pictures}/near.png` });
await page.locator(".react-flow__controls button").nth(2).click();
await page.waitForTimeout(1500);
const whole = await pan();
await page.screenshot({ path: `${pictures}/whole.png` });
console.log(JSON.stringify({ first, opened, answer, near, whole }));
await browser.close();
