import { useQuery } from "@tanstack/react-query";
import { Sparkles } from "lucide-react";
import { useRef, useState } from "react";
import { EmptyState } from "@/components/states";
import type { Values } from "@/features/run/values";
import type { InterfaceView, Job } from "./client";
import { TERMINAL } from "./events";
import { Form } from "./form";
import { firstValues, valuesOfJob } from "./form-values";
import { History } from "./history";
import { JobView } from "./job-view";
import { jobQuery, useCancel, useSubmit } from "./queries";
import { readStored, store } from "./session";
import { useShownJob } from "./shown-job";

/** The form, what the shown job makes, and the jobs before it. */
export function Workflow({ about }: { about: InterfaceView }) {
  const { parameters } = about.interface;
  const place = `pycomfy-values:${about.name}`;
  const [values, setValues] = useState<Values>(() => readStored(window.sessionStorage, place, firstValues(parameters)));
  const [id, show] = useShownJob();
  const submit = useSubmit();
  const cancel = useCancel();
  const result = useRef<HTMLElement>(null);
  const { data: job } = useQuery({ ...jobQuery(id ?? ""), enabled: id !== null });
  const active = id !== null && job !== undefined && !TERMINAL.has(job.status);

  const change = (next: Values) => {
    setValues(next);
    store(window.sessionStorage, place, next);
  };
  const open = (next: string) => {
    show(next);
    result.current?.scrollIntoView({ block: "start" });
  };
  const run = (inputs: Record<string, unknown>) => submit.mutate(inputs, { onSuccess: (made) => open(made.id) });
  const reuse = (of: Job) => {
    change(valuesOfJob(parameters, of));
    submit.reset();
    window.scrollTo({ top: 0 });
  };

  const { description } = about.interface;
  return (
    <div className="mx-auto grid w-full max-w-6xl gap-x-8 gap-y-6 p-4 md:grid-cols-[20rem_minmax(0,1fr)] md:p-6">
      {description !== "" && <p className="max-w-3xl break-words whitespace-pre-line text-muted-foreground md:col-span-2">{description}</p>}
      <Form
        parameters={parameters}
        values={values}
        onChange={change}
        onReset={() => change(firstValues(parameters))}
        onRun={run}
        error={submit.error}
        sending={submit.isPending}
        {...(active ? { onCancel: () => cancel.mutate(id), canceling: cancel.isPending || job.status === "canceling" } : {})}
      />
      <div className="min-w-0 space-y-8">
        <section ref={result} aria-label="Result" className="scroll-mt-14">
          {id === null ? (
            <EmptyState icon={Sparkles} title="Nothing made yet">
              Set the inputs and press Run. What the workflow makes appears here.
            </EmptyState>
          ) : (
            <JobView key={id} id={id} about={about} onReuse={reuse} />
          )}
        </section>
        <History about={about} shown={id} onShow={open} onReuse={reuse} />
      </div>
    </div>
  );
}
