// Runs in the page of ComfyUI's editor: what the editor sends when the workflow is queued, once for each of `moments`.
// Dice and clock are fixed, so that the same workflow gives the same bytes: a value that differs between two moments is
// one that the editor draws or tells the time with. Nothing is sent: the request is taken from the editor's hands.
async (workflow, moments) => {
  const app = window.app;
  // Packs change what is queued at every step, so it is taken from the last one: the request.
  const { fetch, Date } = globalThis;
  const { random } = Math;
  // The editor may greet its user with templates; what it opens after that is about this workflow.
  const DIALOGS = "[role=dialog], .comfy-modal";
  const shown = new Set(document.querySelectorAll(DIALOGS));
  const errors = [];
  const logged = console.error;
  console.error = (...given) => {
    if (errors.length < 20) errors.push(given.map((one) => String(one?.stack ?? one).slice(0, 500)).join(" "));
    logged.apply(console, given);
  };
  // The choice between {a|b} is made anew in each run, not once for all of them.
  const choices = app.extensions?.find((one) => one.name === "Comfy.DynamicPrompts");
  if (choices) choices.nodeCreated = () => {};

  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const load = async () => {
    await app.loadGraphData(structuredClone(workflow), true, false);
    await frame();
    // Some nodes settle their values when they are drawn; in a small window most are out of sight.
    for (const node of app.graph.nodes ?? app.graph._nodes) {
      const context = app.canvas.ctx;
      context.save();
      try {
        app.canvas.drawNode(node, context);
      } catch (error) {
        logged("not drawn", node.type, error);
      }
      context.restore();
    }
    await frame();
  };
  const queue = async ({ seed, time }) => {
    let state = seed;
    let sent;
    class Fixed extends Date {
      constructor(...given) {
        given.length ? super(...given) : super(time);
      }
      static now() {
        return time;
      }
    }
    try {
      globalThis.fetch = async (resource, options) => {
        const url = new URL(resource?.url ?? resource, location.href);
        if (options?.method !== "POST" || !url.pathname.endsWith("/prompt")) return fetch(resource, options);
        sent ??= JSON.parse(options.body).prompt;
        return Response.json({ prompt_id: "x", number: 0, node_errors: {} });
      };
      Math.random = () => (state = (state * 48271) % 2147483647) / 2147483647;
      globalThis.Date = Fixed;
      await load();
      await app.queuePrompt(0, 1);
    } finally {
      [globalThis.fetch, Math.random, globalThis.Date] = [fetch, random, Date];
    }
    return sent;
  };
  try {
    await load();
    errors.length = 0;
    const prompts = [];
    for (const moment of moments) prompts.push((await queue(moment)) ?? null);
    const opened = [...document.querySelectorAll(DIALOGS)].filter((one) => !shown.has(one) && one.checkVisibility());
    return { prompts, errors, dialogs: opened.slice(0, 20).map((one) => one.innerText.slice(0, 500)) };
  } finally {
    console.error = logged;
  }
}
