// The path of a client with the official SDK for TypeScript; COMFY_BASE_URL says which server. Prints what it saw.
import { readFileSync } from "node:fs";
import { Comfy, InvalidWorkflow, JobFailed, type Job, type WorkflowGraph } from "@comfyorg/sdk";

const client = new Comfy();
const [picture] = process.argv.slice(2);
if (picture === undefined) throw new Error("usage: sdk_path PICTURE");

function node(class_type: string, inputs: Record<string, unknown>): unknown {
  return { class_type, inputs };
}

async function submit(graph: WorkflowGraph): Promise<Job> {
  return client.submit(client.workflows.fromJson(graph));
}

// Many nodes of some tenths of a second: an interrupt is seen between two of them.
function slow(color: number): WorkflowGraph {
  const graph: WorkflowGraph = { "0": node("EmptyImage", { width: 1024, height: 1024, batch_size: 1, color }) };
  for (let n = 1; n < 100; n++) {
    graph[n] = node("ImageBlur", { image: [`${n - 1}`, 0], blur_radius: 20, sigma: 5 + n / 100 });
  }
  graph["100"] = node("PreviewImage", { images: ["99", 0] });
  return graph;
}

const asset = client.assets.fromFile(picture);
await asset.commit();
const again = client.assets.fromFile(picture);
await again.commit();

// It waits behind the others, so that its events are all told to who listens from the start.
const running = await submit(slow(Date.now() % (1 << 24)));
const waiting = await submit(slow((Date.now() + 1) % (1 << 24)));
for await (const event of running.events()) {
  if (event.kind === "statusChange" && event.status === "running") break;
}
const job = await submit({
  "1": node("LoadImage", { image: asset }),
  "2": node("SaveImage", { images: ["1", 0], filename_prefix: "typescript/loaded" }),
  "3": node("PreviewAny", { source: "some text" }),
});
const queued = job.status;
const statuses: string[] = [];
let outputsTold = 0;
let lastProgress = 0;
for await (const event of job.events()) {
  if (statuses.length === 0) {
    await waiting.cancel();
    await running.cancel();
  }
  if (event.kind === "statusChange") statuses.push(event.status);
  if (event.kind === "outputReady") outputsTold += 1;
  if (event.kind === "progress") lastProgress = event.value;
}
await job.result();
await running.wait(60_000);
await waiting.wait(60_000);
const [saved] = job.getOutputs("2");
const [text] = job.getOutputs("3");
if (saved === undefined || text === undefined) throw new Error("an output is missing");
const bytes = Buffer.from(await saved.toBytes());
await saved.toFile("loaded.png");


async function failure(action: () => Promise<unknown>): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  return undefined;
}
const refused = await failure(() => submit({ "1": node("NoSuchNode", {}) }));
const failed = await failure(() => running.result());

console.log(
  JSON.stringify({
    uploaded: [asset.createdNew, again.createdNew],
    queued,
    statuses: statuses.filter((status, n) => status !== statuses[n - 1]),
    outputsTold,
    lastProgress,
    size: [bytes.readUInt32BE(16), bytes.readUInt32BE(20)],
    sizeIsTrue: bytes.length === saved.sizeBytes && readFileSync("loaded.png").equals(bytes),
    text: Buffer.from(await text.toBytes()).toString(),
    workflow: (await job.getWorkflow()).format,
    resumed: (await client.jobs.get(job.id)).status,
    canceled: [waiting.status, running.status],
    refused: refused instanceof InvalidWorkflow && Object.keys(refused.details?.["node_errors"] ?? {}),
    failed: failed instanceof JobFailed,
  }),
);
