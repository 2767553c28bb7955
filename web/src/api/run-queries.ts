import { queryOptions, useMutation } from "@tanstack/react-query";
import { api, unwrap } from "./client";

/** The newest recorded runs of a workflow, those of the command line as well. */
export const runsQuery = (name: string) =>
  queryOptions({
    queryKey: ["workflows", name, "runs"],
    queryFn: () => unwrap(api.GET("/api/workflows/{name}/runs", { params: { path: { name } } })),
  });

/** Sends a file for an input. */
export function useUpload() {
  return useMutation({
    mutationFn: (file: File) =>
      unwrap(
        api.POST("/api/uploads", {
          params: { query: { file: file.name } },
          body: file as unknown as string,
          bodySerializer: (body) => body as unknown as BodyInit,
          headers: { "content-type": "application/octet-stream" },
        }),
      ),
  });
}
