import { EventSourceParserStream } from "eventsource-parser/stream";
import { BASE, type Job, type JobState, type OutputFile, type Progress } from "./client";
import { authorization } from "./session";

export type JobEvent =
  | { event: "job"; data: Job }
  | { event: "status"; data: { status: JobState } }
  | { event: "progress"; data: Progress }
  | { event: "preview"; data: { node_id: string; content_type: string; data_base64: string } }
  | { event: "output"; data: OutputFile };

/** A node that ran, or runs. */
export type NodeRun = { node: string; type: string; step: number | null; steps: number | null; done: boolean };

/** What is known of a job from its events alone. */
export type Live = { progress: Progress | null; preview: string | null; outputs: OutputFile[]; nodes: NodeRun[]; connected: boolean };

export const NOTHING: Live = { progress: null, preview: null, outputs: [], nodes: [], connected: true };

export const TERMINAL: ReadonlySet<JobState> = new Set(["succeeded", "canceled", "failed", "expired"]);

const PICTURE = /^image\/(png|jpeg|webp|gif)$/;
const MAX_NODES = 500;

/** What is known after one more event. An event that comes twice, after a reconnect, changes nothing. */
export function addEvent(live: Live, { event, data }: JobEvent): Live {
  switch (event) {
    case "job":
      return data.progress === null ? live : addProgress(live, data.progress);
    case "progress":
      return addProgress(live, data);
    case "preview":
      return PICTURE.test(data.content_type) ? { ...live, preview: `data:${data.content_type};base64,${data.data_base64}` } : live;
    case "output":
      return live.outputs.some((one) => one.id === data.id) ? live : { ...live, outputs: [...live.outputs, data] };
    default:
      return live;
  }
}

function addProgress(live: Live, progress: Progress): Live {
  const node = progress.current_node ?? null;
  const last = live.nodes.at(-1);
  const step = { step: progress.step ?? null, steps: progress.steps ?? null };
  let nodes = live.nodes;
  if (node === null) nodes = nodes.map((one) => ({ ...one, done: true }));
  else if (last !== undefined && last.node === node) nodes = [...nodes.slice(0, -1), { ...last, ...step, done: false }];
  else nodes = [...nodes.map((one) => ({ ...one, done: true })), { node, type: progress.current_node_class ?? "", ...step, done: false }].slice(-MAX_NODES);
  return { ...live, progress, nodes };
}

const FIRST_PAUSE = 300;
const MAX_PAUSE = 5000;

/** Read the events of a job until it is over, or `signal` says so; a connection that breaks is made again, and goes on
 * after the last event that came. `hear` gets each event, `connect` whether there is a connection. */
export async function followJob(id: string, hear: (event: JobEvent) => void, connect: (connected: boolean) => void, signal: AbortSignal): Promise<void> {
  let last = "";
  let pause = FIRST_PAUSE;
  while (!signal.aborted) {
    try {
      const headers = { ...authorization(), accept: "text/event-stream", ...(last === "" ? {} : { "last-event-id": last }) };
      const answer = await fetch(`${BASE}/v1/jobs/${id}/events`, { headers, signal });
      if (answer.status === 401 || answer.status === 404) return;
      if (answer.ok && answer.body !== null) {
        connect(true);
        pause = FIRST_PAUSE;
        const events = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
        for await (const one of events as unknown as AsyncIterable<{ id?: string; event?: string; data: string }>) {
          last = one.id ?? last;
          const event = { event: one.event, data: JSON.parse(one.data) as unknown } as JobEvent;
          hear(event);
          if (event.event === "job" && TERMINAL.has(event.data.status)) return;
        }
      }
    } catch {
      if (signal.aborted) return;
    }
    connect(false);
    await new Promise((resolve) => window.setTimeout(resolve, pause));
    pause = Math.min(pause * 2, MAX_PAUSE);
  }
}
