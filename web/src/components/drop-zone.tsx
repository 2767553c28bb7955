import { FileDown } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";

/** Takes a file that is dropped anywhere in the page. */
export function DropZone({ onFiles, children }: { onFiles: (files: File[]) => void; children: ReactNode }) {
  const [over, setOver] = useState(false);
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
      onFiles([...(event.dataTransfer?.files ?? [])]);
    };
    window.addEventListener("dragover", drag);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", drag);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, [onFiles]);
  return (
    <>
      {children}
      {over && (
        <div className="pointer-events-none fixed inset-0 z-50 grid place-items-center bg-background/80 backdrop-blur-sm">
          <div className="flex flex-col items-center rounded-xl border-2 border-dashed border-ring bg-card px-14 py-10">
            <FileDown className="mb-3 size-8 text-info" strokeWidth={1.5} />
            <p className="font-medium">Drop it to add the workflow</p>
            <p className="text-muted-foreground">JSON, or a picture or video that ComfyUI made</p>
          </div>
        </div>
      )}
    </>
  );
}
