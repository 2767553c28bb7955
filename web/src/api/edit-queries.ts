import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "./client";
import type { WantedChange } from "./schema";

export const valuesQuery = (name: string, graph: string, node: string, base: string) =>
  queryOptions({
    queryKey: ["workflows", name, "values", base, graph, node],
    queryFn: () => unwrap(api.GET("/api/workflows/{name}/values", { params: { path: { name }, query: { graph, node } } })),
  });

export type EditBody = { base: string; changes: WantedChange[] };

/** What a change of values would do; nothing is written. */
export const editPlanQuery = (name: string, { base, changes }: EditBody) =>
  queryOptions({
    // Not below "workflows": what is saved would be asked for once more, of a workflow that has it already.
    queryKey: ["edit", name, base, changes],
    queryFn: () => unwrap(api.POST("/api/workflows/{name}/values", { params: { path: { name } }, body: { base, changes, dry: true } })),
    staleTime: 0,
    retry: false,
  });

export function useEditValues(name: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ base, changes }: EditBody) =>
      unwrap(api.POST("/api/workflows/{name}/values", { params: { path: { name } }, body: { base, changes, dry: false } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["workflows"] }),
  });
}

export type RestoreForm = "image" | "folder" | "project";

/** What a restore would do: a dry run, with the errors of the restore itself. */
export const restorePlanQuery = (name: string, version: number, form: RestoreForm, folder: string, offline: boolean) =>
  queryOptions({
    queryKey: ["restore", name, version, form, folder, offline],
    queryFn: () =>
      unwrap(
        api.GET("/api/workflows/{name}/versions/{version}/restore", {
          params: { path: { name, version }, query: { form, offline, ...(form === "image" ? {} : { folder }) } },
        }),
      ),
    staleTime: 0,
    retry: false,
    enabled: form === "image" || folder.startsWith("/"),
  });

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: () => unwrap(api.GET("/api/session")),
  staleTime: Number.POSITIVE_INFINITY,
});
