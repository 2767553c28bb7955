import { Undo2 } from "lucide-react";
import { useId } from "react";
import type { NodeValue } from "@/api/schema";
import { Button } from "@/components/ui/button";
import { Input, NativeSelect, Textarea } from "@/components/ui/input";
import { findProblem } from "./value-check";

type Props = { value: NodeValue; at: number; text: string; onChange: (text: string, problem: string) => void };

/** One value of a node, as its type asks for. */
export function ValueField({ value, at, text, onChange }: Props) {
  const id = useId();
  const label = value.name === "" ? `value ${at + 1}` : value.name;
  const problem = findProblem(value, text);
  const change = (next: string) => onChange(next, findProblem(value, next));
  const dirty = text !== value.text;
  return (
    <div>
      <div className="flex items-baseline gap-2">
        <label htmlFor={id} className="min-w-0 truncate text-[0.82rem] font-medium">
          {label}
        </label>
        <span className="ml-auto shrink-0 text-[0.76rem] text-muted-foreground">{dirty ? "changed" : bounds(value)}</span>
        {dirty && (
          <Button variant="ghost" size="icon-sm" className="-my-1" aria-label={`Take back ${label}`} title={`It was ${value.text}`} onClick={() => change(value.text)}>
            <Undo2 />
          </Button>
        )}
      </div>
      {value.kind === null ? (
        <p id={id} className="max-h-40 overflow-y-auto rounded bg-muted px-2 py-0.5 text-[0.84rem] break-words whitespace-pre-wrap" title={value.why}>
          {text === "" ? "–" : text}
          <span className="block text-[0.76rem] text-muted-foreground">{value.why}</span>
        </p>
      ) : (
        <Control id={id} value={value} text={text} onChange={change} invalid={problem !== ""} />
      )}
      {problem !== "" && (
        <p id={`${id}-problem`} className="mt-0.5 text-[0.8rem] text-destructive">
          {problem}
        </p>
      )}
    </div>
  );
}

function bounds({ kind, minimum, maximum }: NodeValue): string {
  if ((kind !== "integer" && kind !== "number") || minimum == null || maximum == null || Math.abs(maximum) >= 1e9) return "";
  return `${minimum} to ${maximum}`;
}

type ControlProps = { id: string; value: NodeValue; text: string; invalid: boolean; onChange: (text: string) => void };

function Control({ id, value, text, invalid, onChange }: ControlProps) {
  const shared = { id, "aria-invalid": invalid, "aria-describedby": invalid ? `${id}-problem` : undefined, className: "h-7 aria-invalid:border-destructive" };
  const choices = value.choices ?? [];
  if (value.kind === "boolean") {
    return <input id={id} type="checkbox" className="size-4 accent-primary" checked={text === "true"} onChange={(e) => onChange(String(e.target.checked))} />;
  }
  if (value.kind === "choice") {
    return (
      <NativeSelect {...shared} value={text} onChange={(e) => onChange(e.target.value)}>
        {!choices.includes(text) && <option>{text}</option>}
        {choices.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </NativeSelect>
    );
  }
  if (value.kind === "text" && (value.multiline === true || text.length > 60)) {
    return <Textarea {...shared} className="aria-invalid:border-destructive" rows={4} value={text} onChange={(e) => onChange(e.target.value)} />;
  }
  // Not type="number", which would take the digits of a large seed.
  return (
    <>
      <Input {...shared} inputMode={value.kind === "text" ? undefined : "decimal"} list={choices.length > 0 ? `${id}-list` : undefined} value={text} onChange={(e) => onChange(e.target.value)} />
      {choices.length > 0 && (
        <datalist id={`${id}-list`}>
          {choices.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </>
  );
}
