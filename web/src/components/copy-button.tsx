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
    <div className={cn("relative min-w-0 rounded-lg border bg-card", className)}>
      <CopyButton text={text} label={label} className="absolute top-1.5 right-1.5 bg-card" />
      <pre tabIndex={0} className="overflow-x-auto p-3 pr-10 text-[0.82rem] leading-relaxed outline-none focus-visible:ring-2 focus-visible:ring-ring">
        {text}
      </pre>
    </div>
  );
}
