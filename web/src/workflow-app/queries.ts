import { infiniteQueryOptions, queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { create } from "zustand";
import { api, contentUrl, type InterfaceView, isUnauthorized, type Job, Refused, unwrap } from "./client";
import { addEvent, followJob, type Live, NOTHING, TERMINAL } from "./events";
import { authorization, readStored, store, useKey } from "./session";

const PAGE = 12;
const MAX_OWN = 60;
const OWN = "pycomfy-jobs";

export const interfaceQuery = queryOptions({
  queryKey: ["interface"],
  queryFn: () => unwrap<InterfaceView>(api.GET("/v1/interface")),
  staleTime: Number.POSITIVE_INFINITY,
});

async function getJob(id: string): Promise<Job> {
  return (await unwrap(api.GET("/v1/jobs/{id}", { params: { path: { id } } }))) as unknown as Job;
}

export function jobQuery(id: string) {
  return queryOptions({ queryKey: ["job", id], queryFn: () => getJob(id) });
}

type Page = { jobs: Job[]; next_cursor: string | null };

/** The jobs that this browser has started: where those without a key may list none, it knows its own. */
async function ownJobs(): Promise<Page> {
  const ids = readStored<string[]>(window.localStorage, OWN, []).slice(0, PAGE);
  const found = await Promise.allSettled(ids.map(getJob));
  return { jobs: found.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])), next_cursor: null };
}

async function listJobs(cursor: string | null): Promise<Page> {
  const query = { limit: PAGE, ...(cursor === null ? {} : { cursor }) };
  try {
    return (await unwrap(api.GET("/v1/jobs", { params: { query } }))) as unknown as Page;
  } catch (error) {
    if (isUnauthorized(error) && useKey.getState().key === null) return ownJobs();
    throw error;
  }
}

export const historyQuery = infiniteQueryOptions({
  queryKey: ["jobs"],
  queryFn: ({ pageParam }) => listJobs(pageParam),
  initialPageParam: null as string | null,
  getNextPageParam: (last) => last.next_cursor,
});

export function fileQuery(id: string) {
  return queryOptions({ queryKey: ["file", id], queryFn: () => unwrap(api.GET("/v1/files/{id}", { params: { path: { id } } })), staleTime: Number.POSITIVE_INFINITY });
}

/** The bytes of a file, which an element of the page cannot ask for where a key is needed. */
export async function fetchContent(id: string): Promise<Blob> {
  const answer = await fetch(contentUrl(id), { headers: authorization() }).catch(() => {
    throw new Refused(0, null);
  });
  if (!answer.ok) throw new Refused(answer.status, null);
  return answer.blob();
}

export function useUpload() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (file: File) => {
      const form = new FormData();
      form.append("file", file);
      return unwrap(api.POST("/v1/files", { body: form as never, bodySerializer: (body) => body as never }));
    },
    onSuccess: (record) => queries.setQueryData(["file", record.id], record),
  });
}

export function useSubmit() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (inputs: Record<string, unknown>) => (await unwrap(api.POST("/v1/jobs", { body: { inputs } as never }))) as unknown as Job,
    onSuccess: (job) => {
      store(window.localStorage, OWN, [job.id, ...readStored<string[]>(window.localStorage, OWN, [])].slice(0, MAX_OWN));
      queries.setQueryData(["job", job.id], job);
      void queries.invalidateQueries({ queryKey: ["jobs"] });
    },
  });
}

export function useCancel() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (id: string) => (await unwrap(api.POST("/v1/jobs/{id}/cancel", { params: { path: { id } } }))) as unknown as Job,
    onSuccess: (job) => queries.setQueryData(["job", job.id], job),
  });
}

const useLive = create<Record<string, Live>>()(() => ({}));

/** A job, and what its events say of it as long as it goes on. */
export function useJob(id: string) {
  const queries = useQueryClient();
  const job = useQuery(jobQuery(id));
  const active = job.data !== undefined && !TERMINAL.has(job.data.status);
  useEffect(() => {
    if (!active) return;
    const control = new AbortController();
    const change = (live: (before: Live) => Live) => useLive.setState((all) => ({ [id]: live(all[id] ?? NOTHING) }), true);
    const connect = (connected: boolean) => change((live) => (live.connected === connected ? live : { ...live, connected }));
    void followJob(
      id,
      (event) => {
        change((live) => addEvent(live, event));
        if (event.event === "job") queries.setQueryData(["job", id], event.data);
        // With the last status comes the whole record.
        if (event.event === "status" && !TERMINAL.has(event.data.status)) queries.setQueryData<Job>(["job", id], (old) => old && { ...old, ...event.data });
        if (event.event === "job" || event.event === "status") void queries.invalidateQueries({ queryKey: ["jobs"] });
      },
      connect,
      control.signal,
    );
    return () => control.abort();
  }, [active, id, queries]);
  const live = useLive((all) => all[id] ?? NOTHING);
  return { ...job, live };
}
