import { describe, expect, it } from "vitest";
import { addEvents, EMPTY_LOG, MAX_LINES, type OperationEvent } from "./events";

const begin: OperationEvent = { seq: 1, event: "begin", step: 1, title: "Fetch", unit: "bytes", at: 1000 };
const progress: OperationEvent = { seq: 2, event: "progress", step: 1, count: 5, total: 10, note: "torch", at: 1500 };
const end: OperationEvent = { seq: 3, event: "end", step: 1, ok: true, count: 10, total: 10, note: "", at: 2000 };

describe("the log of an operation", () => {
  it("is a step for each number, with its last values", () => {
    const log = addEvents(addEvents(EMPTY_LOG, [begin, progress]), [end]);
    expect(log.steps).toEqual([
      { id: 1, title: "Fetch", unit: "bytes", count: 10, total: 10, note: "", state: "done", began: 1000, ended: 2000 },
    ]);
  });

  it("is the same when events come again after a reconnect", () => {
    const log = addEvents(EMPTY_LOG, [begin, progress]);
    expect(addEvents(log, [begin, progress])).toBe(log);
    expect(addEvents(log, [progress, end])).toEqual(addEvents(log, [end]));
  });

  it("says that a step failed", () => {
    expect(addEvents(EMPTY_LOG, [begin, { ...end, ok: false }]).steps[0]?.state).toBe("failed");
  });

  it("keeps the last lines, in order", () => {
    const lines = Array.from({ length: MAX_LINES + 3 }, (_, at): OperationEvent => ({ seq: at + 1, event: "text", text: `${at}` }));
    const log = addEvents(EMPTY_LOG, lines);
    expect(log.lines).toHaveLength(MAX_LINES);
    expect(log.lines[0]?.text).toBe("3");
    expect(log.seq).toBe(MAX_LINES + 3);
  });
});
