import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "./client";
import type { paths } from "./schema";

export type OperationRequest = paths["/api/operations"]["post"]["requestBody"]["content"]["application/json"];
export type Language = "curl" | "python" | "typescript" | "comfy-sdk";

export const workflowsQuery = queryOptions({
  queryKey: ["workflows"],
  queryFn: () => unwrap(api.GET("/api/workflows")),
});

export const workflowQuery = (name: string) =>
  queryOptions({
    queryKey: ["workflows", name],
    queryFn: () => unwrap(api.GET("/api/workflows/{name}", { params: { path: { name } } })),
  });

export const graphQuery = (name: string, version?: number) =>
  queryOptions({
    queryKey: ["workflows", name, "graph", version ?? null],
    queryFn: () =>
      unwrap(api.GET("/api/workflows/{name}/graph", { params: { path: { name }, query: { version: version ?? null } } })),
    placeholderData: keepPreviousData,
  });

export const needsQuery = (name: string) =>
  queryOptions({
    queryKey: ["workflows", name, "needs"],
    queryFn: () => unwrap(api.GET("/api/workflows/{name}/needs", { params: { path: { name } } })),
  });

export const versionsQuery = (name: string) =>
  queryOptions({
    queryKey: ["workflows", name, "versions"],
    queryFn: () => unwrap(api.GET("/api/workflows/{name}/versions", { params: { path: { name } } })),
  });

export const versionQuery = (name: string, version: number) =>
  queryOptions({
    queryKey: ["workflows", name, "versions", version],
    queryFn: () =>
      unwrap(api.GET("/api/workflows/{name}/versions/{version}", { params: { path: { name, version } } })),
  });

export const diffQuery = (name: string, version: number, to: number) =>
  queryOptions({
    queryKey: ["workflows", name, "versions", version, "diff", to],
    queryFn: () =>
      unwrap(
        api.GET("/api/workflows/{name}/versions/{version}/diff", {
          params: { path: { name, version }, query: { to } },
        }),
      ),
  });

export const imageQuery = (name: string, version: number, before?: number) =>
  queryOptions({
    queryKey: ["workflows", name, "versions", version, "image", before ?? null],
    queryFn: () =>
      unwrap(
        api.GET("/api/workflows/{name}/versions/{version}/image", {
          params: { path: { name, version }, query: { before: before ?? null } },
        }),
      ),
  });

export const exampleQuery = (name: string, version: number, lang: Language) =>
  queryOptions({
    queryKey: ["workflows", name, "versions", version, "example", lang],
    queryFn: () =>
      unwrap(
        api.GET("/api/workflows/{name}/versions/{version}/example", {
          params: { path: { name, version }, query: { lang } },
          parseAs: "text",
        }),
      ),
  });

export const operationsQuery = (workflow?: string) =>
  queryOptions({
    queryKey: ["operations", workflow ?? null],
    queryFn: () => unwrap(api.GET("/api/operations", { params: { query: { workflow: workflow ?? null } } })),
  });

export const operationQuery = (id: string) =>
  queryOptions({
    queryKey: ["operation", id],
    queryFn: () => unwrap(api.GET("/api/operations/{key}", { params: { path: { key: id } } })),
  });

export function useStartOperation() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: OperationRequest) => unwrap(api.POST("/api/operations", { body })),
    onSuccess: (operation) => {
      queries.setQueryData(["operation", operation.id], operation);
      return queries.invalidateQueries({ queryKey: ["operations"] });
    },
  });
}

export function useCancelOperation() {
  return useMutation({
    mutationFn: (key: string) => unwrap(api.POST("/api/operations/{key}/cancel", { params: { path: { key } } })),
  });
}

export function useAddWorkflow() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (file: File | "example") =>
      file === "example"
        ? unwrap(api.POST("/api/workflows/example"))
        : unwrap(
            api.POST("/api/workflows", {
              params: { query: { file: file.name } },
              body: file as unknown as string,
              bodySerializer: (body) => body as unknown as BodyInit,
              headers: { "content-type": "application/octet-stream" },
            }),
          ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["workflows"] }),
  });
}
