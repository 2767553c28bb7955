import { useQuery } from "@tanstack/react-query";
import { Braces } from "lucide-react";
import { useState } from "react";
import { exampleQuery, type Language, versionQuery } from "@/api/queries";
import type { Parameter, WorkflowEntry } from "@/api/schema";
import { CodeBlock, Copyable } from "@/components/copy-button";
import { Section } from "@/components/section";
import { EmptyState, LoadError, Loading } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";

const LANGUAGES: [Language, string][] = [
  ["curl", "curl"],
  ["python", "Python"],
  ["typescript", "TypeScript"],
  ["comfy-sdk", "comfy-sdk"],
];

/** How a served workflow is called: inputs, outputs, and programs that can be copied. */
export default function InterfaceTab({ workflow }: { workflow: WorkflowEntry }) {
  if (workflow.version === null) {
    return (
      <div className="mx-auto w-full max-w-6xl p-4 md:p-6">
        <EmptyState icon={Braces} title="No API yet">
          Its inputs are known once it is built: then the image itself says what each node takes.
        </EmptyState>
      </div>
    );
  }
  return <Interface name={workflow.name} version={workflow.version} />;
}

function Interface({ name, version }: { name: string; version: number }) {
  const { data, error, refetch, isPending } = useQuery(versionQuery(name, version));
  if (isPending) return <Loading className="p-4 md:p-6" />;
  if (error !== null) {
    return (
      <div className="p-4 md:p-6">
        <LoadError error={error} retry={refetch} />
      </div>
    );
  }
  const inputs = data.inputs ?? [];
  const outputs = data.outputs ?? [];
  return (
    <div className="mx-auto w-full max-w-6xl space-y-6 p-4 md:p-6">
      <div className="flex flex-wrap items-center gap-x-2 rounded-lg border bg-card px-3 py-1.5">
        <span className="text-[0.84rem] text-muted-foreground">Serve it with</span>
        <Copyable text={`pycomfy run ${name} --serve`} label="the command" />
        <span className="text-[0.84rem] text-muted-foreground">at http://127.0.0.1:8000; its documentation is at /docs.</span>
      </div>
      <Section title="Inputs" count={inputs.length}>
        <Table>
          <TableHeader>
            <TableRow>
              <TableHead>Name</TableHead>
              <TableHead>Type</TableHead>
              <TableHead className="hidden sm:table-cell">Default</TableHead>
              <TableHead className="hidden md:table-cell">Bounds or choices</TableHead>
              <TableHead className="hidden lg:table-cell">Node</TableHead>
            </TableRow>
          </TableHeader>
          <TableBody>
            {inputs.map((one) => (
              <TableRow key={one.name}>
                <TableCell>
                  <code className="text-[0.84rem]">{one.name}</code>
                  <p className="text-[0.82rem] break-words text-muted-foreground sm:hidden">
                    {JSON.stringify(one.default ?? null)}
                    {bounds(one) !== "–" && `, ${bounds(one)}`}
                  </p>
                  {one.description !== "" && <p className="text-[0.82rem] text-muted-foreground">{one.description}</p>}
                </TableCell>
                <TableCell>
                  <Badge variant="outline">{one.type}</Badge>
                </TableCell>
                <TableCell className="hidden max-w-64 truncate sm:table-cell">{JSON.stringify(one.default ?? null)}</TableCell>
                <TableCell className="hidden max-w-72 truncate text-muted-foreground md:table-cell">{bounds(one)}</TableCell>
                <TableCell className="hidden text-muted-foreground lg:table-cell">{one.targets.map((target) => target.node).join(", ")}</TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      </Section>
      <Section title="Outputs" count={outputs.length}>
        <Table>
          <TableHeader>
            <TableRow>
              <TableHead>Name</TableHead>
              <TableHead>Type</TableHead>
              <TableHead className="text-right">Node</TableHead>
            </TableRow>
          </TableHeader>
          <TableBody>
            {outputs.map((one) => (
              <TableRow key={one.name}>
                <TableCell>
                  <code className="text-[0.84rem]">{one.name}</code>
                </TableCell>
                <TableCell>
                  <Badge variant="outline">{one.kind}</Badge>
                </TableCell>
                <TableCell className="text-right text-muted-foreground">{one.node}</TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      </Section>
      <Examples name={name} version={version} />
    </div>
  );
}

function bounds(parameter: Parameter): string {
  if (parameter.choices.length > 0) return parameter.choices.map(String).join(", ");
  const low = parameter.minimum ?? null;
  const high = parameter.maximum ?? null;
  const show = (bound: number | null) => (bound === null || !Number.isSafeInteger(Math.trunc(bound)) ? "…" : String(bound));
  return low === null && high === null ? "–" : `${show(low)} to ${show(high)}`;
}

function Examples({ name, version }: { name: string; version: number }) {
  const [language, setLanguage] = useState<Language>("curl");
  const { data, error, refetch, isPending } = useQuery(exampleQuery(name, version, language));
  return (
    <Section
      title="Call it"
      actions={
        <div role="group" aria-label="Language" className="flex flex-wrap rounded-md border border-input bg-card p-0.5">
          {LANGUAGES.map(([value, label]) => (
            <Button key={value} size="sm" variant={value === language ? "secondary" : "ghost"} aria-pressed={value === language} className="h-6" onClick={() => setLanguage(value)}>
              {label}
            </Button>
          ))}
        </div>
      }
    >
      {isPending ? <Loading rows={4} /> : error !== null ? <LoadError error={error} retry={refetch} /> : <CodeBlock text={String(data).trimEnd()} label="the program" />}
    </Section>
  );
}
