import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { contentUrl } from "./client";
import { fetchContent } from "./queries";
import { useKey } from "./session";

const KEPT = 60_000;

/** An address of a file's bytes that the page can show; null until there is one. Where a key is needed, they are fetched
 * with it first. */
export function useContent(file: string | null): { src: string | null } {
  const key = useKey((state) => state.key);
  const { data } = useQuery({ queryKey: ["content", file], queryFn: () => fetchContent(file as string), enabled: file !== null && key !== null, staleTime: Number.POSITIVE_INFINITY, gcTime: KEPT });
  const [made, setMade] = useState<string | null>(null);
  useEffect(() => {
    if (data === undefined) return;
    const url = URL.createObjectURL(data);
    setMade(url);
    return () => {
      setMade(null);
      URL.revokeObjectURL(url);
    };
  }, [data]);
  if (file === null) return { src: null };
  return { src: key === null ? contentUrl(file) : made };
}
