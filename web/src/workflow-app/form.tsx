import { CircleStop, Play, RotateCcw } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Button } from "@/components/ui/button";
import { Field } from "@/features/run/field";
import type { Values } from "@/features/run/values";
import { type Parameter, problemsOfInputs } from "./client";
import { ErrorNote } from "./error-note";
import { FileField } from "./file-field";
import { readForm } from "./form-values";
import { labelOf } from "./labels";

type Props = {
  parameters: readonly Parameter[];
  values: Values;
  onChange: (values: Values) => void;
  onReset: () => void;
  onRun: (inputs: Record<string, unknown>) => void;
  error: unknown;
  sending: boolean;
  /** There while the shown job can be cancelled. */
  onCancel?: () => void;
  canceling?: boolean;
};

/** The workflow's inputs in their order, and what to do with them. */
export function Form({ parameters, values, onChange, onReset, onRun, error, sending, onCancel, canceling = false }: Props) {
  const [own, setOwn] = useState<Record<string, string>>({});
  const problems: Record<string, string> = { ...problemsOfInputs(error), ...own };
  const elsewhere = error !== null && Object.keys(problemsOfInputs(error)).length === 0;
  const send = () => {
    const read = readForm(parameters, values);
    setOwn(read.problems);
    if (Object.keys(read.problems).length === 0) onRun(read.inputs);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send();
  };
  return (
    <form
      noValidate
      onSubmit={submit}
      onKeyDown={(e) => e.key === "Enter" && (e.ctrlKey || e.metaKey) && !sending && e.currentTarget.requestSubmit()}
      className="space-y-3.5 md:sticky md:top-18 md:max-h-[calc(100dvh-5.5rem)] md:self-start md:overflow-y-auto md:-mx-1 md:px-1 md:pb-1"
      aria-label="Inputs"
    >
      {parameters.map((parameter) => {
        const { name } = parameter;
        const set = (value: string | number | boolean) => onChange({ ...values, [name]: value });
        return (
          <Field
            key={name}
            parameter={parameter}
            value={values[name]}
            onChange={set}
            label={labelOf(parameter)}
            error={problems[name]}
            drawsSeeds
            file={(id, described) => <FileField id={id} described={described} parameter={parameter} value={values[name]} onChange={set} />}
          />
        );
      })}
      {parameters.length === 0 && <p className="text-muted-foreground">This workflow has no inputs.</p>}
      {elsewhere && <ErrorNote error={error} />}
      <div className="sticky bottom-0 z-20 -mx-4 flex gap-2 border-t bg-background/95 px-4 py-3 backdrop-blur md:static md:mx-0 md:border-0 md:bg-transparent md:p-0 md:pt-1 md:backdrop-blur-none">
        <Button type="submit" disabled={sending} className="flex-1 md:flex-none">
          <Play /> Run
        </Button>
        {onCancel !== undefined && (
          <Button variant="destructive" disabled={canceling} onClick={onCancel}>
            <CircleStop /> {canceling ? "Cancelling" : "Cancel"}
          </Button>
        )}
        <Button variant="ghost" size="icon" aria-label="The workflow's own values" title="The workflow's own values" onClick={onReset}>
          <RotateCcw />
        </Button>
      </div>
    </form>
  );
}
