import { Dices } from "lucide-react";
import { useId } from "react";
import type { Parameter } from "@/api/schema";
import { Button } from "@/components/ui/button";
import { Input, NativeSelect, Textarea } from "@/components/ui/input";
import { drawSeed, isFile, isSeed, type Value } from "./values";

type Props = { parameter: Parameter; value: Value | undefined; onChange: (value: Value) => void };

/** One input of the form, as its type asks for. */
export function Field({ parameter, value, onChange }: Props) {
  const id = useId();
  const label = parameter.title || parameter.name;
  return (
    <div>
      <label htmlFor={id} className="mb-1 flex items-baseline justify-between gap-2 text-[0.84rem] font-medium">
        {label}
        <span className="text-[0.76rem] font-normal text-muted-foreground">{hint(parameter)}</span>
      </label>
      <Control id={id} parameter={parameter} value={value} onChange={onChange} />
      {parameter.description !== "" && <p className="mt-0.5 text-[0.8rem] text-muted-foreground">{parameter.description}</p>}
    </div>
  );
}

function hint(parameter: Parameter): string {
  const { minimum, maximum } = parameter;
  if (isSeed(parameter) || minimum == null || maximum == null) return "";
  return Math.abs(maximum) < 1e9 ? `${minimum} to ${maximum}` : "";
}

function Control({ id, parameter, value, onChange }: Props & { id: string }) {
  const shown = value ?? (parameter.default as Value | null) ?? "";
  if (parameter.type === "boolean") {
    return <input id={id} type="checkbox" className="size-4 accent-primary" checked={shown === true} onChange={(e) => onChange(e.target.checked)} />;
  }
  if (parameter.type === "choice") {
    return (
      <NativeSelect id={id} value={String(shown)} onChange={(e) => onChange(parameter.choices.find((one) => String(one) === e.target.value) ?? e.target.value)}>
        {parameter.choices.map((one) => (
          <option key={String(one)}>{String(one)}</option>
        ))}
      </NativeSelect>
    );
  }
  if (parameter.type === "integer" || parameter.type === "number") {
    const bounds = { min: parameter.minimum ?? undefined, max: parameter.maximum ?? undefined };
    return (
      <div className="flex gap-1.5">
        <Input
          id={id}
          type="number"
          step={parameter.type === "integer" ? (parameter.step ?? 1) : "any"}
          {...bounds}
          value={typeof shown === "boolean" ? "" : shown}
          onChange={(e) => onChange(e.target.value === "" ? "" : e.target.valueAsNumber)}
        />
        {isSeed(parameter) && (
          <Button variant="outline" size="icon" aria-label="Draw a seed" title="Draw a seed" onClick={() => onChange(drawSeed(parameter.maximum))}>
            <Dices />
          </Button>
        )}
      </div>
    );
  }
  if (isFile(parameter)) {
    return <Input id={id} placeholder="path of a file on this machine" value={String(shown)} onChange={(e) => onChange(e.target.value)} />;
  }
  return parameter.multiline ? (
    <Textarea id={id} rows={4} value={String(shown)} onChange={(e) => onChange(e.target.value)} />
  ) : (
    <Input id={id} value={typeof shown === "object" ? JSON.stringify(shown) : String(shown)} onChange={(e) => onChange(e.target.value)} />
  );
}
