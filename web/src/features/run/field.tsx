import { Dices, Shuffle } from "lucide-react";
import { type ReactNode, useId } from "react";
import type { Parameter } from "@/api/schema";
import { Button } from "@/components/ui/button";
import { Input, NativeSelect, Textarea } from "@/components/ui/input";
import { cn } from "@/lib/cn";
import { drawSeed, isFile, isSeed, sliderSteps, type Value } from "./values";

type Props = { parameter: Parameter; value: Value | undefined; onChange: (value: Value) => void };

type More = {
  label?: string;
  /** Why the value was refused. */
  error?: string | undefined;
  /** Whether a seed of -1 is drawn anew by whoever runs it. */
  drawsSeeds?: boolean;
  /** The control of an input that takes a file, if it is none for a path. */
  file?: ((id: string, described: string | undefined) => ReactNode) | undefined;
};

/** One input of the form, as its type asks for. */
export function Field({ label, error, file, drawsSeeds = false, ...props }: Props & More) {
  const { parameter } = props;
  const id = useId();
  const described = error === undefined ? undefined : `${id}-error`;
  const name = label ?? (parameter.title || parameter.name);
  const isSwitch = parameter.type === "boolean";
  return (
    <div>
      <div className={isSwitch ? "flex items-center gap-2" : ""}>
        <label htmlFor={id} className={cn("flex items-baseline justify-between gap-2 text-[0.84rem] font-medium", isSwitch ? "order-2" : "mb-1")}>
          {name}
          <span className="shrink-0 text-[0.76rem] font-normal text-muted-foreground">{hint(parameter)}</span>
        </label>
        {file !== undefined && isFile(parameter) ? file(id, described) : <Control id={id} described={described} drawsSeeds={drawsSeeds} {...props} />}
      </div>
      {error !== undefined && (
        <p id={described} className="mt-0.5 text-[0.8rem] break-words text-destructive">
          {error}
        </p>
      )}
      {parameter.description !== "" && <p className="mt-0.5 text-[0.8rem] break-words text-muted-foreground">{parameter.description}</p>}
    </div>
  );
}

function hint(parameter: Parameter): string {
  const { minimum, maximum } = parameter;
  if (isSeed(parameter) || minimum == null || maximum == null) return "";
  return Math.abs(maximum) < 1e9 ? `${minimum} to ${maximum}` : "";
}

type ControlProps = Props & { id: string; described: string | undefined; drawsSeeds: boolean };

function Control({ id, described, drawsSeeds, parameter, value, onChange }: ControlProps) {
  const shown = value ?? (parameter.default as Value | null) ?? "";
  const common = { id, "aria-describedby": described, "aria-invalid": described === undefined ? undefined : true };
  if (parameter.type === "boolean") {
    return <input {...common} type="checkbox" className="size-4 accent-primary" checked={shown === true} onChange={(e) => onChange(e.target.checked)} />;
  }
  if (parameter.type === "choice") {
    return (
      <NativeSelect {...common} value={String(shown)} onChange={(e) => onChange(parameter.choices.find((one) => String(one) === e.target.value) ?? e.target.value)}>
        {parameter.choices.map((one) => (
          <option key={String(one)}>{String(one)}</option>
        ))}
      </NativeSelect>
    );
  }
  if (parameter.type === "integer" || parameter.type === "number") {
    return <NumberControl common={common} drawsSeeds={drawsSeeds} parameter={parameter} shown={typeof shown === "boolean" ? "" : shown} onChange={onChange} />;
  }
  if (isFile(parameter)) {
    return <Input {...common} placeholder="path of a file on this machine" value={String(shown)} onChange={(e) => onChange(e.target.value)} />;
  }
  const text = typeof shown === "object" ? JSON.stringify(shown) : String(shown);
  return parameter.multiline || parameter.type === "json" ? (
    <Textarea {...common} rows={parameter.type === "json" ? 2 : 4} className={parameter.type === "json" ? "font-mono" : ""} value={text} onChange={(e) => onChange(e.target.value)} />
  ) : (
    <Input {...common} value={text} onChange={(e) => onChange(e.target.value)} />
  );
}

type NumberProps = { common: { id: string }; drawsSeeds: boolean; parameter: Parameter; shown: string | number; onChange: (value: Value) => void };

function NumberControl({ common, drawsSeeds, parameter, shown, onChange }: NumberProps) {
  const seed = isSeed(parameter);
  const drawn = seed && drawsSeeds && shown === -1;
  const steps = sliderSteps(parameter);
  const bounds = { min: parameter.minimum ?? undefined, max: parameter.maximum ?? undefined };
  return (
    <div className="flex items-center gap-1.5">
      {steps !== null && (
        // For the pointer; the keyboard, and who hears the page, have the number.
        <input
          type="range"
          tabIndex={-1}
          aria-hidden
          className="min-w-0 flex-1 accent-primary"
          {...bounds}
          step={parameter.step ?? (parameter.type === "integer" ? 1 : "any")}
          value={shown === "" ? (parameter.minimum ?? 0) : shown}
          onChange={(e) => onChange(e.target.valueAsNumber)}
        />
      )}
      <Input
        {...common}
        type="number"
        inputMode={parameter.type === "integer" ? "numeric" : "decimal"}
        step={parameter.type === "integer" ? (parameter.step ?? 1) : "any"}
        {...(drawn ? {} : bounds)}
        className={cn(steps !== null && "w-24 shrink-0", drawn && "bg-transparent disabled:opacity-100")}
        disabled={drawn}
        placeholder={drawn ? "a new one for each run" : ""}
        value={drawn ? "" : shown}
        onChange={(e) => onChange(e.target.value === "" ? "" : e.target.valueAsNumber)}
      />
      {seed && (
        <Button variant="outline" size="icon" aria-label="Draw a seed" title="Draw a seed" onClick={() => onChange(drawSeed(parameter.maximum))}>
          <Dices />
        </Button>
      )}
      {seed && drawsSeeds && (
        <Button
          variant={drawn ? "secondary" : "outline"}
          size="icon"
          aria-label="A new seed for each run"
          title="A new seed for each run"
          aria-pressed={drawn}
          onClick={() => onChange(drawn ? drawSeed(parameter.maximum) : -1)}
        >
          <Shuffle />
        </Button>
      )}
    </div>
  );
}
