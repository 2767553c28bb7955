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

/** What a merge of the version `other` would do; nothing is written. */
export const mergePlanQuery = (name: string, other: string, prefer: Side | null) =>
  queryOptions({
    queryKey: ["merge", name, other, prefer],
    queryFn: () => unwrap(api.GET("/api/workflows/{name}/merge", { params: { path: { name }, query: { other, prefer } } })),
    staleTime: 0,
    retry: false,
    enabled: other !== "",
  });

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

export const useMerge = (name: string) => useChange((body: { other: string; prefer: Side | null }) => unwrap(api.POST("/api/workflows/{name}/merge", { params: { path: { name } }, body })));
