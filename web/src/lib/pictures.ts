import type { RunEntry } from "@/api/schema";

const PICTURES = /\.(png|jpe?g|webp|gif|avif)$/i;

export type Picture = { url: string; name: string };

/** The pictures that a run saved and that are still there. */
export function picturesOf({ name, run, outputs }: Pick<RunEntry, "name" | "run" | "outputs">): Picture[] {
  return outputs.flatMap(({ path, exists }, at) =>
    exists && PICTURES.test(path) ? [{ url: `/api/workflows/${name}/runs/${run}/outputs/${at}`, name: path.split("/").pop() ?? path }] : [],
  );
}
