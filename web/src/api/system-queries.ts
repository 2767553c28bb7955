import { queryOptions } from "@tanstack/react-query";
import { api, unwrap } from "./client";

export const doctorQuery = (offline: boolean) =>
  queryOptions({
    queryKey: ["system", "doctor", offline],
    queryFn: () => unwrap(api.GET("/api/system/doctor", { params: { query: { offline } } })),
    staleTime: 60_000,
    refetchOnWindowFocus: false,
  });

/** The newest entries of the audit log. */
export const auditQuery = (count: number) =>
  queryOptions({
    queryKey: ["system", "log", count],
    queryFn: () => unwrap(api.GET("/api/system/log", { params: { query: { count } } })),
  });

export const diskQuery = queryOptions({
  queryKey: ["system", "disk"],
  queryFn: () => unwrap(api.GET("/api/system/disk")),
  staleTime: 60_000,
  refetchOnWindowFocus: false,
});
