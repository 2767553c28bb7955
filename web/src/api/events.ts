/** One line of what an operation reported, as `OperationEvent` of the server; `seq` numbers them from 1. */
export type OperationEvent = {
  seq: number;
  event: "begin" | "progress" | "end" | "remark" | "text";
  at?: number;
  step?: number;
  title?: string;
  unit?: string;
  count?: number;
  total?: number;
  note?: string;
  ok?: boolean;
  text?: string;
};

export type Step = {
  id: number;
  title: string;
  unit: string;
  count: number;
  total: number | null;
  note: string;
  state: "running" | "done" | "failed";
  began: number;
  ended: number | null;
};

export type Line = { seq: number; kind: "remark" | "text"; text: string };

export type OperationLog = { seq: number; steps: Step[]; lines: Line[] };

export const EMPTY_LOG: OperationLog = { seq: 0, steps: [], lines: [] };

/** Lines that are kept in the page; the file has all. */
export const MAX_LINES = 5000;

/** The log with more events. Those that it has already change nothing, so a replay after a reconnect is harmless. */
export function addEvents(log: OperationLog, events: readonly OperationEvent[]): OperationLog {
  const fresh = events.filter((event) => event.seq > log.seq);
  if (fresh.length === 0) return log;
  const steps = new Map(log.steps.map((step) => [step.id, step]));
  const lines = [...log.lines];
  let seq = log.seq;
  for (const event of fresh) {
    seq = Math.max(seq, event.seq);
    if (event.event === "remark" || event.event === "text") {
      lines.push({ seq: event.seq, kind: event.event, text: event.text ?? "" });
    } else if (event.step !== undefined) {
      steps.set(event.step, changeStep(steps.get(event.step), event, event.step));
    }
  }
  return { seq, steps: [...steps.values()], lines: lines.slice(-MAX_LINES) };
}

function changeStep(before: Step | undefined, event: OperationEvent, id: number): Step {
  const at = event.at ?? 0;
  const step: Step = before ?? {
    id,
    title: event.title ?? "",
    unit: event.unit ?? "items",
    count: 0,
    total: null,
    note: "",
    state: "running",
    began: at,
    ended: null,
  };
  const ended = event.event === "end";
  return {
    ...step,
    count: event.count ?? step.count,
    total: event.total ?? step.total,
    note: event.note ?? step.note,
    state: ended ? (event.ok === true ? "done" : "failed") : step.state,
    ended: ended ? at : step.ended,
  };
}
