import type { OperationEntry } from "@/api/schema";
import { OutputFigure, type OutputKind, SaveLink } from "@/components/output-figure";

type Output = { path: string; size: number; type?: string };

const PICTURES = /\.(png|jpe?g|webp|gif|avif)$/i;
const VIDEOS = /\.(mp4|webm)$/i;
const SOUNDS = /\.(mp3|flac|ogg|opus|wav|m4a)$/i;

/** What a run made. */
export function Gallery({ operation }: { operation: OperationEntry }) {
  const result = operation.result as { outputs?: Output[]; values?: { node: string; title: string | null; value: unknown }[] } | null;
  const outputs = result?.outputs ?? [];
  const values = result?.values ?? [];
  if (outputs.length === 0 && values.length === 0) return <p className="text-muted-foreground">It returned nothing.</p>;
  return (
    <div className="space-y-3">
      <ul className="grid grid-cols-1 gap-3 sm:grid-cols-2">
        {outputs.map((output) => (
          <li key={output.path} className="overflow-hidden rounded-lg border bg-card">
            <OutputView url={urlOf(operation.id, output.path)} output={output} />
          </li>
        ))}
      </ul>
      {values.map((value, at) => (
        <div key={at} className="rounded-lg border bg-card px-3 py-2">
          <p className="text-[0.78rem] text-muted-foreground">{value.title ?? `node ${value.node}`}</p>
          <pre className="text-[0.84rem] break-words whitespace-pre-wrap">{typeof value.value === "string" ? value.value : JSON.stringify(value.value)}</pre>
        </div>
      ))}
    </div>
  );
}

function urlOf(id: string, path: string): string {
  const inside = path.split(`/operations/${id}/outputs/`)[1] ?? path.split("/").pop() ?? "";
  return `/api/operations/${id}/outputs/${inside.split("/").map(encodeURIComponent).join("/")}`;
}

function OutputView({ url, output }: { url: string; output: Output }) {
  const name = output.path.split("/").pop() ?? "";
  return <OutputFigure kind={kindOf(name)} name={name} size={output.size} src={url} save={<SaveLink href={url} name={name} />} />;
}

function kindOf(name: string): OutputKind {
  if (PICTURES.test(name)) return "image";
  if (VIDEOS.test(name)) return "video";
  return SOUNDS.test(name) ? "audio" : "file";
}
