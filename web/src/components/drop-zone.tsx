import { FileDown } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";

/** Takes a file that is dropped anywhere in the page; `refused` says why it is not taken. */
export function DropZone({ onFiles, refused, children }: { onFiles: (files: File[]) => void; refused?: string | undefined; children: ReactNode }) {
  const [over, setOver] = useState(false);
  const isRefused = refused !== undefined;
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const drag = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      if (!isRefused) onFiles([...(event.dataTransfer?.files ?? [])]);
    };
    window.addEventListener("dragover", drag);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", drag);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, [onFiles, isRefused]);
  return (
    <>
      {children}
      {over && (
        <div className="pointer-events-none fixed inset-0 z-50 grid place-items-center bg-background/80 backdrop-blur-sm">
          <div className="flex flex-col items-center rounded-xl border-2 border-dashed border-ring bg-card px-14 py-10">
            <FileDown className="mb-3 size-8 text-info" strokeWidth={1.5} />
            <p className="font-medium">{refused ?? "Drop it to add the workflow"}</p>
            {refused === undefined && <p className="text-muted-foreground">JSON, or a picture or video that ComfyUI made</p>}
          </div>
        </div>
      )}
    </>
  );
}
