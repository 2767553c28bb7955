import { useQuery } from "@tanstack/react-query";
import { FileUp, LoaderCircle, X } from "lucide-react";
import { Button } from "@/components/ui/button";
import type { Value } from "@/features/run/values";
import { cn } from "@/lib/cn";
import { useFileDrop } from "@/lib/file-drop";
import { formatSize } from "@/lib/format";
import type { Parameter } from "./client";
import { useContent } from "./content";
import { fileQuery, useUpload } from "./queries";

type Props = { id: string; described: string | undefined; parameter: Parameter; value: Value | undefined; onChange: (value: Value) => void };

const ACCEPTED: Record<string, string> = { image: "image/*", video: "video/*", audio: "audio/*", "3d": ".glb,.gltf,.obj,.stl,.ply,.fbx,.usdz,.splat" };
const IS_ID = /^[0-9a-f-]{36}$/;

/** Takes a file by a click or a drop, sends it, and shows which one it is. The value is its id. */
export function FileField({ id, described, parameter, value, onChange }: Props) {
  const upload = useUpload();
  const take = (file: File | undefined) => file !== undefined && upload.mutate(file, { onSuccess: (record) => onChange(record.id) });
  const { over, handlers } = useFileDrop(take);
  const chosen = typeof value === "string" && value !== "" ? value : null;
  return (
    <div
      {...handlers}
      className={cn("rounded-md border border-dashed border-input bg-card focus-within:border-ring focus-within:ring-1 focus-within:ring-ring", over && "border-ring bg-accent")}
    >
      {chosen !== null && !upload.isPending && <Chosen file={chosen} type={parameter.type} onRemove={() => onChange("")} />}
      <label htmlFor={id} className={cn("flex items-center justify-center gap-2 px-3 text-center text-[0.84rem] text-muted-foreground", chosen === null ? "min-h-16" : "border-t py-1.5")}>
        {upload.isPending ? <LoaderCircle className="size-4 shrink-0 animate-spin" /> : <FileUp className="size-4 shrink-0" />}
        {upload.isPending ? "Sending" : chosen === null ? "Choose a file, or drop one here" : "Choose another"}
      </label>
      <input
        id={id}
        type="file"
        className="sr-only"
        accept={ACCEPTED[parameter.type]}
        aria-describedby={described}
        onChange={(e) => {
          take(e.target.files?.[0]);
          e.target.value = "";
        }}
      />
      {upload.error !== null && (
        <p role="alert" className="px-3 pb-2 text-[0.8rem] break-words text-destructive">
          {upload.error.message}
        </p>
      )}
    </div>
  );
}

function Chosen({ file, type, onRemove }: { file: string; type: string; onRemove: () => void }) {
  const isId = IS_ID.test(file);
  const { data, error } = useQuery({ ...fileQuery(file), enabled: isId });
  const picture = useContent(isId && type === "image" && data !== undefined ? file : null);
  const name = data?.name ?? (isId ? (error === null ? "a file" : "a file that is not there any more") : file);
  return (
    <div className="flex items-center gap-2 p-2">
      {picture.src !== null && <img src={picture.src} alt="" className="size-14 shrink-0 rounded-sm bg-canvas object-cover" />}
      <div className="min-w-0 flex-1 text-[0.84rem]">
        <p className="truncate" title={name}>
          {name}
        </p>
        {data !== undefined && <p className="text-muted-foreground">{formatSize(data.size)}</p>}
      </div>
      <Button variant="ghost" size="icon-sm" aria-label={`Remove ${name}`} title="Remove" onClick={onRemove}>
        <X />
      </Button>
    </div>
  );
}
