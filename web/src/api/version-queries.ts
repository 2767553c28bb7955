import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "./client";

export type Side = "ours" | "theirs";

/** The versions of a workflow, and of all workflows that share some with it. */
export const historyQuery = (name: string) =>
  queryOptions({
    queryKey: ["workflows", name, "history"],
    queryFn: () => unwrap(api.GET("/api/workflows/{name}/history", { params: { path: { name } } })),
    retry: false,
  });

/** What a revert would do; nothing is written. */
export const revertPlanQuery = (name: string, version: number) =>
  queryOptions({
    queryKey: ["revert", name, version],
    queryFn: () => unwrap(api.GET("/api/workflows/{name}/versions/{version}/revert", { params: { path: { name, version } } })),
    staleTime: 0,
    retry: false,
  });

/** A merge: where both changed the same, `nodes` says which side counts, and `prefer` for all else. */
export type MergeRequest = { other: string; prefer: Side | null; nodes: Record<string, Side> };

/** What a merge would do; nothing is written. */
export const mergePlanQuery = (name: string, { other, prefer, nodes }: MergeRequest) => {
  const node = Object.entries(nodes).map(([id, side]) => `${id}=${side}`);
  return queryOptions({
    queryKey: ["merge", name, other, prefer, node],
    queryFn: () => unwrap(api.GET("/api/workflows/{name}/merge", { params: { path: { name }, query: { other, prefer, node } } })),
    staleTime: 0,
    retry: false,
    enabled: other !== "",
  });
};

/** A change of versions: everything that is shown of workflows is asked for again. */
function useChange<Input, Output>(change: (input: Input) => Promise<Output>) {
  const queries = useQueryClient();
  return useMutation({ mutationFn: change, onSuccess: () => queries.invalidateQueries({ queryKey: ["workflows"] }) });
}

export const useTag = (name: string, version: number) =>
  useChange((body: { tag: string; force: boolean }) => unwrap(api.POST("/api/workflows/{name}/versions/{version}/tags", { params: { path: { name, version } }, body })));

export const useUntag = (name: string) => useChange((tag: string) => unwrap(api.DELETE("/api/workflows/{name}/tags/{tag}", { params: { path: { name, tag } } })));

export const useBranch = (name: string, version: number) =>
  useChange((body: { name: string }) => unwrap(api.POST("/api/workflows/{name}/versions/{version}/branch", { params: { path: { name, version } }, body })));

export const useRevert = (name: string, version: number) =>
  useChange((body: { message: string }) => unwrap(api.POST("/api/workflows/{name}/versions/{version}/revert", { params: { path: { name, version } }, body })));

export const useMerge = (name: string) => useChange((body: MergeRequest) => unwrap(api.POST("/api/workflows/{name}/merge", { params: { path: { name } }, body })));
