import { ListPlus } from "lucide-react";
import { useId, useState } from "react";
import type { Parameter } from "@/api/schema";
import { Button } from "@/components/ui/button";
import { NativeSelect, Textarea } from "@/components/ui/input";
import { count } from "@/lib/format";
import { canSweep, readSweep } from "./sweep";
import type { Value } from "./values";

type Props = { parameters: readonly Parameter[]; busy: boolean; refused?: string | undefined; onStart: (name: string, values: Value[]) => void };

/** Several values of one input, a run each; the other inputs are those of the form. */
export function SweepForm({ parameters, busy, refused, onStart }: Props) {
  const id = useId();
  const all = parameters.filter(canSweep);
  const [name, setName] = useState(all[0]?.name ?? "");
  const [text, setText] = useState("");
  const parameter = all.find((one) => one.name === name) ?? all[0];
  if (parameter === undefined) return null;
  const { values, problem } = readSweep(parameter, text);
  const numeric = parameter.type === "integer" || parameter.type === "number";
  return (
    <details className="rounded-md border bg-card px-3 py-2">
      <summary className="rounded-sm text-[0.86rem] font-medium outline-none focus-visible:ring-2 focus-visible:ring-ring">Sweep over one input</summary>
      <div className="mt-2 space-y-2">
        <div>
          <label htmlFor={`${id}-name`} className="mb-1 block text-[0.84rem] font-medium">
            Input of the sweep
          </label>
          <NativeSelect id={`${id}-name`} value={parameter.name} onChange={(e) => setName(e.target.value)}>
            {all.map((one) => (
              <option key={one.name} value={one.name}>
                {one.title || one.name}
              </option>
            ))}
          </NativeSelect>
        </div>
        <div>
          <label htmlFor={`${id}-values`} className="mb-1 block text-[0.84rem] font-medium">
            Values, one a line{numeric && <span className="font-normal text-muted-foreground"> (or 20 to 40 step 5)</span>}
          </label>
          <Textarea id={`${id}-values`} rows={3} value={text} aria-invalid={problem !== ""} aria-describedby={`${id}-said`} onChange={(e) => setText(e.target.value)} />
          <p id={`${id}-said`} className={problem === "" ? "min-h-5 text-[0.8rem] text-muted-foreground" : "min-h-5 text-[0.8rem] text-destructive"}>
            {problem || (values.length > 0 ? `${count(values.length, "run")}, one after the other` : "")}
          </p>
        </div>
        <Button variant="outline" disabled={values.length === 0 || problem !== "" || busy} refused={refused} onClick={() => onStart(parameter.name, values)}>
          <ListPlus /> Start {values.length > 0 ? count(values.length, "run") : "the runs"}
        </Button>
      </div>
    </details>
  );
}
