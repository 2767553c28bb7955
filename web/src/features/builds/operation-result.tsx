import type { ReactNode } from "react";
import { Link } from "wouter";
import type { OperationEntry } from "@/api/schema";
import { Copyable } from "@/components/copy-button";
import { Badge } from "@/components/ui/badge";
import { count, formatDuration, formatSize } from "@/lib/format";
import { Gallery } from "./gallery";

type Value = Record<string, unknown>;

function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** What an operation returned, by its kind. */
export function OperationResult({ operation }: { operation: OperationEntry }) {
  const result = (operation.result ?? null) as Value | null;
  if (result === null) return null;
  if (operation.kind === "build") return <BuildResult result={result} workflow={operation.workflow} />;
  if (operation.kind === "verify") return <VerifyResult result={result} />;
  if (operation.kind === "run") return <Gallery operation={operation} />;
  if (operation.kind === "lock") {
    const lines = [...((result["changes"] as string[] | undefined) ?? []), ...((result["notes"] as string[] | undefined) ?? [])];
    return (
      <Facts>
        <Fact term="Lock">{result["changed"] === true ? "written" : "as it was"}</Fact>
        {lines.length > 0 && (
          <Fact term="Changes and notes" wide>
            <ul className="list-disc space-y-0.5 pl-4">
              {lines.slice(0, 60).map((line, at) => (
                <li key={at} className="break-words">
                  {line}
                </li>
              ))}
            </ul>
          </Fact>
        )}
      </Facts>
    );
  }
  if (operation.kind === "restore" && typeof result["manifest_digest"] === "string") {
    return (
      <Facts>
        <Fact term="Image" wide>
          <Copyable text={result["manifest_digest"]} label="digest" />
        </Fact>
        <Fact term="Layout" wide>
          <Copyable text={text(result["oci"])} label="path" />
        </Fact>
      </Facts>
    );
  }
  return null;
}

function BuildResult({ result, workflow }: { result: Value; workflow: string }) {
  return (
    <Facts>
      <Fact term="Version">
        <Link className="text-info hover:underline" href={`/workflows/${workflow}/versions`}>
          {text(result["name"])}@{text(result["version"])}
        </Link>{" "}
        <Badge variant={result["new"] === true ? "info" : "outline"}>{result["new"] === true ? "new" : "the same as before"}</Badge>
      </Fact>
      <Fact term="Image">
        {formatSize(Number(result["size"]))}, {text(result["platform"])}
      </Fact>
      <Fact term="Layers">
        {text(result["layers_built"])} built, {text(result["layers_reused"])} reused
      </Fact>
      <Fact term="Took">{formatDuration(Number(result["seconds"]))}</Fact>
      <Fact term="Manifest digest" wide>
        <Copyable text={text(result["manifest_digest"])} label="manifest digest" />
      </Fact>
      <Fact term="OCI layout" wide>
        <Copyable text={text(result["oci"])} label="path" />
      </Fact>
    </Facts>
  );
}

function VerifyResult({ result }: { result: Value }) {
  const equal = result["equal"] === true;
  const differences = (result["differences"] as unknown[] | undefined) ?? [];
  return (
    <Facts>
      <Fact term="Proof">
        <Badge variant={equal ? "success" : "destructive"}>{equal ? "every digest is equal" : count(differences.length, "difference")}</Badge>
      </Fact>
      <Fact term="Layers">{text(result["layers"])}</Fact>
      <Fact term="Took">{formatDuration(Number(result["seconds"]))}</Fact>
      <Fact term="Recorded" wide>
        <Copyable text={text(result["recorded"])} label="recorded digest" />
      </Fact>
      <Fact term="Built again" wide>
        <Copyable text={text(result["rebuilt"])} label="rebuilt digest" />
      </Fact>
      {differences.length > 0 && (
        <Fact term="Differences" wide>
          <pre className="max-h-72 overflow-auto text-[0.8rem] whitespace-pre-wrap">{JSON.stringify(differences, null, 1)}</pre>
        </Fact>
      )}
    </Facts>
  );
}

export function Facts({ children }: { children: ReactNode }) {
  return <dl className="grid grid-cols-2 gap-x-6 gap-y-2.5 rounded-lg border bg-card px-4 py-3 sm:grid-cols-4">{children}</dl>;
}

export function Fact({ term, wide = false, children }: { term: string; wide?: boolean; children: ReactNode }) {
  return (
    <div className={wide ? "col-span-full min-w-0" : "min-w-0"}>
      <dt className="text-[0.78rem] text-muted-foreground">{term}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </div>
  );
}

