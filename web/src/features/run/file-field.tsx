import { ImageUp, Paintbrush, X } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { problemOf } from "@/api/client";
import { useUpload } from "@/api/run-queries";
import type { Parameter } from "@/api/schema";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { useRefusal } from "@/api/session";
import { cn } from "@/lib/cn";
import { useFileDrop } from "@/lib/file-drop";
import type { Value } from "./values";

const MaskEditor = lazy(() => import("./mask-editor"));

const ACCEPT: Record<string, string> = { image: "image/*", video: "video/*", audio: "audio/*" };

type Props = { id: string; parameter: Parameter; value: Value | undefined; onChange: (value: Value) => void };

/** A file for an input: dropped, chosen, or named by its path on the machine of the server. */
export function FileField({ id, parameter, value, onChange }: Props) {
  const chooser = useRef<HTMLInputElement>(null);
  const upload = useUpload();
  const [masking, setMasking] = useState(false);
  // What was sent from here is shown; what a path names is not read by the browser.
  const [sent, setSent] = useState<{ path: string; file: File; picture: File } | null>(null);
  const shown = sent !== null && sent.path === value ? sent : null;
  const own = shown?.file ?? null;
  const send = async (file: File, picture = file) => {
    const kept = await upload.mutateAsync(file).catch(() => null);
    if (kept === null) return;
    setSent({ path: kept.path, file, picture });
    onChange(kept.path);
  };
  const { over, handlers } = useFileDrop((file) => void send(file));
  const notOwner = useRefusal("owner");
  const isPicture = parameter.type === "image";
  const text = value === undefined ? "" : String(value);
  return (
    <div {...handlers} className={cn("space-y-1.5 rounded-md border border-dashed border-input p-2", over && "border-ring bg-accent")}>
      {own !== null && isPicture && <Preview file={own} />}
      <div className="flex flex-wrap gap-1.5">
        <Button variant="outline" size="sm" disabled={upload.isPending} onClick={() => chooser.current?.click()}>
          <ImageUp /> {upload.isPending ? "Sending" : "Choose or drop a file"}
        </Button>
        {own !== null && isPicture && (
          <Button variant="outline" size="sm" onClick={() => setMasking(true)}>
            <Paintbrush /> Mask…
          </Button>
        )}
        {text !== "" && (
          <Button variant="ghost" size="sm" onClick={() => onChange("")} title="Take the workflow's own file">
            <X /> Take its own
          </Button>
        )}
        <input ref={chooser} type="file" hidden tabIndex={-1} accept={ACCEPT[parameter.type]} onChange={(e) => e.target.files?.[0] !== undefined && void send(e.target.files[0])} />
      </div>
      {/* A path of the machine is read with its owner's rights. */}
      <Input
        id={id}
        className="h-7 text-[0.8rem]"
        spellCheck={false}
        readOnly={notOwner !== undefined}
        title={notOwner}
        placeholder={notOwner === undefined ? `or a path; its own is ${String(parameter.default ?? "none")}` : `its own is ${String(parameter.default ?? "none")}`}
        value={text}
        onChange={(e) => onChange(e.target.value)}
      />
      {upload.error !== null && (
        <p role="alert" className="text-[0.8rem] text-destructive">
          {problemOf(upload.error).message}
        </p>
      )}
      {masking && shown !== null && (
        <Suspense>
          <MaskEditor
            file={shown.picture}
            masked={shown.file}
            onClose={() => setMasking(false)}
            onDone={(masked) => {
              setMasking(false);
              void send(masked, shown.picture);
            }}
          />
        </Suspense>
      )}
    </div>
  );
}

function Preview({ file }: { file: File }) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return url === "" ? <div className="h-32" /> : <img src={url} alt={file.name} className="h-32 w-full rounded bg-canvas object-contain" />;
}
