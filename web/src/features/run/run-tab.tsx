import { useQuery } from "@tanstack/react-query";
import { Play } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { operationsQuery, useStartOperation, versionQuery, versionsQuery } from "@/api/queries";
import { useRefusal } from "@/api/session";
import type { Parameter, WorkflowEntry } from "@/api/schema";
import { OperationState } from "@/components/state-badge";
import { EmptyState, LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { NativeSelect } from "@/components/ui/input";
import { OperationView } from "@/features/builds/operation-view";
import { formatTime } from "@/lib/format";
import { Field } from "./field";
import { FileField } from "./file-field";
import { RunHistory } from "./history";
import { SweepForm } from "./sweep-form";
import { changedValues, type Value, type Values } from "./values";

/** A form of the workflow's inputs, and what runs of it made. */
export default function RunTab({ workflow }: { workflow: WorkflowEntry }) {
  if (workflow.version === null) {
    return (
      <div className="mx-auto w-full max-w-6xl p-4 md:p-6">
        <EmptyState icon={Play} title="Nothing to run yet">
          Build the workflow first. It then runs in its own image, without any network.
        </EmptyState>
      </div>
    );
  }
  return <RunForm name={workflow.name} newest={workflow.version} />;
}

function RunForm({ name, newest }: { name: string; newest: number }) {
  const id = useId();
  const [version, setVersion] = useState(newest);
  const { data, error, refetch, isPending } = useQuery(versionQuery(name, version));
  const { data: versions = [] } = useQuery(versionsQuery(name));
  const { data: operations = [] } = useQuery(operationsQuery(name));
  const start = useStartOperation();
  const refused = useRefusal("run");
  const [values, setValues] = useState<Values>({});
  const [chosen, setChosen] = useState<string | null>(null);
  if (isPending) return <Loading className="p-4 md:p-6" />;
  if (error !== null) {
    return (
      <div className="p-4 md:p-6">
        <LoadError error={error} retry={refetch} />
      </div>
    );
  }
  const inputs: Parameter[] = data.inputs ?? [];
  const runs = operations.filter((one) => one.kind === "run");
  const busy = runs[0]?.state === "running" || runs[0]?.state === "waiting";
  const shown = runs.find((one) => one.id === chosen) ?? runs[0];
  const built = versions.filter((one) => one.manifest_digest !== null).map((one) => one.version);
  const run = (on: number, given: Values) => {
    setChosen(null);
    return start.mutateAsync({ kind: "run", workflow: `${name}@${on}`, inputs: given }).catch(() => null);
  };
  const fieldOf = (parameter: Parameter) => {
    const props = { parameter, value: values[parameter.name], onChange: (value: Value) => setValues((was) => ({ ...was, [parameter.name]: value })) };
    return { ...props, file: (field: string) => <FileField id={field} {...props} /> };
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(version, changedValues(inputs, values));
  };
  const sweep = async (parameter: string, all: Value[]) => {
    for (const value of all) if ((await run(version, { ...changedValues(inputs, values), [parameter]: value })) === null) return;
  };
  return (
    <div className="mx-auto grid w-full max-w-6xl gap-6 p-4 md:grid-cols-[20rem_minmax(0,1fr)] md:p-6">
      <div className="space-y-4 md:sticky md:top-26 md:max-h-[calc(100dvh-8rem)] md:self-start md:overflow-y-auto md:pr-1 md:pb-1">
        <form onSubmit={submit} className="space-y-3" aria-label="Inputs">
          {built.length > 1 && (
            <div>
              <label htmlFor={id} className="mb-1 block text-[0.84rem] font-medium">
                Version
              </label>
              <NativeSelect id={id} value={version} onChange={(e) => setVersion(Number(e.target.value))}>
                {(built.includes(version) ? built : [version, ...built]).map((one) => (
                  <option key={one} value={one}>
                    version {one}
                    {one === newest ? ", the newest" : ""}
                  </option>
                ))}
              </NativeSelect>
            </div>
          )}
          {inputs.map((parameter) => (
            <Field key={parameter.name} {...fieldOf(parameter)} />
          ))}
          {inputs.length === 0 && <p className="text-muted-foreground">It has no inputs.</p>}
          <div className="flex gap-2 pt-1">
            <Button type="submit" disabled={busy || start.isPending} refused={refused}>
              <Play /> {busy ? "Running" : "Run"}
            </Button>
            {Object.keys(values).length > 0 && (
              <Button variant="ghost" onClick={() => setValues({})}>
                Workflow's values
              </Button>
            )}
          </div>
          {start.error !== null && <LoadError error={start.error} retry={() => start.reset()} />}
        </form>
        <SweepForm parameters={inputs} busy={start.isPending} refused={refused} onStart={(parameter, all) => void sweep(parameter, all)} />
      </div>
      <div className="min-w-0 space-y-6">
        {shown === undefined ? (
          <EmptyState icon={Play} title="Nothing runs">
            What a run makes appears here. On the CPU a run takes a while.
          </EmptyState>
        ) : (
          <div>
            {runs.length > 1 && (
              <nav aria-label="Runs" className="mb-3 flex gap-1 overflow-x-auto pb-1">
                {runs.slice(0, 12).map((one) => (
                  <Button key={one.id} variant={one.id === shown.id ? "secondary" : "ghost"} size="sm" aria-pressed={one.id === shown.id} title={`${one.command?.[1] ?? name}, ${formatTime(one.created_at)}`} onClick={() => setChosen(one.id)}>
                    <span className="tabular-nums">{formatTime(one.created_at).slice(-5)}</span> <OperationState state={one.state} />
                  </Button>
                ))}
              </nav>
            )}
            <OperationView key={shown.id} id={shown.id} workflow={name} />
          </div>
        )}
        <RunHistory name={name} versions={built} busy={start.isPending} refused={refused} onFill={setValues} onRun={(on, given) => void run(on, given)} />
      </div>
    </div>
  );
}
