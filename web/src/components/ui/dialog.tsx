import { X } from "lucide-react";
import { type ComponentProps, type ReactNode, useEffect, useId, useRef } from "react";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";

type Props = { title: string; description: ReactNode; onClose: () => void; children: ReactNode };

/** A dialog above the page; `description` says in one line what it is about. It is the browser's own: radix's puts a
 * style element into the page, which its policy forbids. What has `data-first` gets the focus. */
export function Dialog({ title, description, onClose, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    // The browser takes what comes first, which is the button that closes it.
    (dialog?.querySelector<HTMLElement>("[data-first]") ?? dialog)?.focus();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      tabIndex={-1}
      data-slot="dialog-content"
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-description`}
      onCancel={(e) => {
        e.preventDefault();
        onClose();
      }}
      onClick={(e) => e.target === element.current && onClose()}
      className="fixed inset-0 m-auto max-h-[calc(100dvh-1rem)] w-[calc(100vw-1rem)] max-w-xl overflow-hidden rounded-lg border bg-popover p-0 text-foreground shadow-xl outline-none backdrop:bg-black/45 open:flex open:flex-col"
    >
      <header className="flex items-start gap-3 border-b px-4 py-3">
        <div className="min-w-0 flex-1">
          <h2 id={`${id}-title`} className="text-base font-semibold">
            {title}
          </h2>
          <p id={`${id}-description`} className="text-[0.86rem] text-muted-foreground">
            {description}
          </p>
        </div>
        <Button variant="ghost" size="icon-sm" aria-label="Close" onClick={onClose}>
          <X />
        </Button>
      </header>
      {children}
    </dialog>
  );
}

export function DialogBody({ className, ...props }: ComponentProps<"div">) {
  return <div className={cn("min-h-0 flex-1 space-y-4 overflow-y-auto px-4 py-3", className)} {...props} />;
}

export function DialogFooter({ className, ...props }: ComponentProps<"div">) {
  return <div className={cn("flex flex-wrap justify-end gap-2 border-t px-4 py-3", className)} {...props} />;
}
