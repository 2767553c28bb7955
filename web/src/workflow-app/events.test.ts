// @vitest-environment happy-dom
import { afterEach, expect, it, vi } from "vitest";
import type { OutputFile, Progress } from "./client";
import { addEvent, followJob, type JobEvent, NOTHING } from "./events";

afterEach(() => vi.unstubAllGlobals());

const progress = (more: Partial<Progress>): JobEvent => ({
  event: "progress",
  data: { value: 0, nodes_done: 0, nodes_total: 2, current_node: null, current_node_class: null, step: null, steps: null, message: null, ...more },
});

it("each node that ran is listed once, with its last step, and is done when the next one runs", () => {
  const events = [progress({ current_node: "1", step: 1, steps: 2 }), progress({ current_node: "1", step: 2, steps: 2 }), progress({ current_node: "2" }), progress({ nodes_done: 2 })];
  const seen = events.map((_, at) => events.slice(0, at + 1).reduce(addEvent, NOTHING).nodes.map(({ node, step, done }) => [node, step, done]));
  expect(seen).toEqual([[["1", 1, false]], [["1", 2, false]], [["1", 2, true], ["2", null, false]], [["1", 2, true], ["2", null, true]]]);
});

it("an output that is told twice is there once, and a preview is a picture or nothing", () => {
  const output: JobEvent = { event: "output", data: { id: "a", node: "1" } as OutputFile };
  expect([output, output].reduce(addEvent, NOTHING).outputs).toHaveLength(1);
  const preview = (content_type: string): JobEvent => ({ event: "preview", data: { node_id: "1", content_type, data_base64: "AA==" } });
  expect(addEvent(NOTHING, preview("image/jpeg")).preview).toBe("data:image/jpeg;base64,AA==");
  expect(addEvent(NOTHING, preview("text/html")).preview).toBeNull();
  expect(addEvent(NOTHING, preview('image/png" onerror="x')).preview).toBeNull();
});

function stream(...frames: string[]): Response {
  return new Response(frames.join(""), { headers: { "content-type": "text/event-stream" } });
}

const frame = (id: number, event: string, data: object) => `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

it("a stream that breaks is read on after its last event, until the record at the end", async () => {
  const asked: Record<string, string>[] = [];
  const answers: (() => Response)[] = [
    () => stream(frame(1, "status", { status: "running" }), ": keep-alive\n\n", frame(2, "progress", { value: 0.5 })),
    () => {
      throw new TypeError("no network");
    },
    () => new Response("busy", { status: 503 }),
    () => stream(frame(3, "job", { id: "x", status: "succeeded" })),
  ];
  vi.stubGlobal("fetch", (_: string, init: { headers: Record<string, string> }) => {
    asked.push(init.headers);
    return Promise.resolve((answers.shift() as () => Response)());
  });
  vi.stubGlobal("setTimeout", (then: () => void) => queueMicrotask(then));
  window.setTimeout = globalThis.setTimeout;
  const heard: string[] = [];
  const connected: boolean[] = [];
  await followJob("x", (one) => heard.push(one.event), (one) => connected.push(one), new AbortController().signal);
  expect(heard).toEqual(["status", "progress", "job"]);
  expect(asked.map((one) => one["last-event-id"])).toEqual([undefined, "2", "2", "2"]);
  expect(connected).toEqual([true, false, false, false, true]);
});

it("who may not see the job does not ask again", async () => {
  const fetched = vi.fn(() => Promise.resolve(new Response("", { status: 404 })));
  vi.stubGlobal("fetch", fetched);
  await followJob("x", () => undefined, () => undefined, new AbortController().signal);
  expect(fetched).toHaveBeenCalledTimes(1);
});
