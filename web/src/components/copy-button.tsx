import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";

/** Copies a text; says so for a moment. */
export function CopyButton({ text, label, className }: { text: string; label: string; className?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    window.setTimeout(() => setCopied(false), 1500);
  };
  return (
    <Button variant="ghost" size="icon-sm" className={className} aria-label={`Copy ${label}`} title={`Copy ${label}`} onClick={copy}>
      {copied ? <Check className="text-success" /> : <Copy className="text-muted-foreground" />}
      <span aria-live="polite" className="sr-only">
        {copied ? "copied" : ""}
      </span>
    </Button>
  );
}

/** A text that is to be copied whole: a digest, a path, a command. */
export function Copyable({ text, shown, label, className }: { text: string; shown?: string; label: string; className?: string }) {
  return (
    <span className={cn("inline-flex max-w-full min-w-0 items-center gap-0.5", className)}>
      <code className="truncate text-[0.82rem]" title={text}>
        {shown ?? text}
      </code>
      <CopyButton text={text} label={label} />
    </span>
  );
}

/** Lines of a program or a command, with a button that copies them. */
export function CodeBlock({ text, label, className }: { text: string; label: string; className?: string }) {
  return (
    <div className={cn("flex min-w-0 flex-row-reverse items-start rounded-lg border bg-card", className)}>
      <CopyButton text={text} label={label} className="m-1.5" />
      <pre tabIndex={0} className="min-w-0 flex-1 overflow-x-auto rounded-lg p-3 text-[0.82rem] leading-relaxed outline-none focus-visible:ring-2 focus-visible:ring-ring">
        {text}
      </pre>
    </div>
  );
}
