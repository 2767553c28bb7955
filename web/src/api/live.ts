import type { QueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { create } from "zustand";
import { addEvents, EMPTY_LOG, type OperationEvent, type OperationLog } from "./events";
import type { OperationEntry } from "./schema";

type LiveState = {
  connected: boolean;
  logs: Record<string, OperationLog>;
};

type Message = { operation: OperationEntry } | { id: string; events: OperationEvent[] };

const FIRST_PAUSE = 250;
const MAX_PAUSE = 5000;

export const useLive = create<LiveState>()(() => ({ connected: true, logs: {} }));

/** How many places of the page follow an operation. */
const followed = new Map<string, number>();
let socket: WebSocket | null = null;

function say(message: object): void {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function sayFollow(id: string): void {
  say({ follow: id, after: useLive.getState().logs[id]?.seq ?? 0 });
}

/** Connect, and again whenever the connection breaks; what was followed goes on where it was. */
export function connectLive(queries: QueryClient, pause: number = FIRST_PAUSE): void {
  const scheme = window.location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${window.location.host}/api/live`);
  let opened = false;
  socket.onopen = () => {
    opened = true;
    useLive.setState({ connected: true });
    for (const id of followed.keys()) sayFollow(id);
    if (pause > FIRST_PAUSE) void queries.invalidateQueries();
  };
  socket.onmessage = (event: MessageEvent<string>) => receive(queries, JSON.parse(event.data) as Message);
  socket.onclose = () => {
    useLive.setState({ connected: false });
    const next = opened ? FIRST_PAUSE * 2 : Math.min(pause * 2, MAX_PAUSE);
    window.setTimeout(() => connectLive(queries, next), opened ? FIRST_PAUSE : pause);
  };
}

function receive(queries: QueryClient, message: Message): void {
  if ("operation" in message) {
    const { operation } = message;
    queries.setQueryData<OperationEntry>(["operation", operation.id], (old) => ({ ...old, ...operation }));
    void queries.invalidateQueries({ queryKey: ["operations"] });
    if (operation.finished_at !== null) {
      void queries.invalidateQueries({ queryKey: ["operation", operation.id] });
      void queries.invalidateQueries({ queryKey: ["workflows"] });
    }
    return;
  }
  const { id, events } = message;
  useLive.setState(({ logs }) => ({ logs: { ...logs, [id]: addEvents(logs[id] ?? EMPTY_LOG, events) } }));
}

/** The log of an operation, which is followed while the component is there. */
export function useOperationLog(id: string): OperationLog {
  useEffect(() => {
    followed.set(id, (followed.get(id) ?? 0) + 1);
    sayFollow(id);
    return () => {
      const left = (followed.get(id) ?? 1) - 1;
      if (left > 0) {
        followed.set(id, left);
        return;
      }
      followed.delete(id);
      say({ unfollow: id });
    };
  }, [id]);
  return useLive((state) => state.logs[id] ?? EMPTY_LOG);
}
