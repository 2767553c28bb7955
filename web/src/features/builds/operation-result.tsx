import { Link } from "wouter";
import type { OperationEntry } from "@/api/schema";
import { Copyable } from "@/components/copy-button";
import { Badge } from "@/components/ui/badge";
import { formatDuration, formatSize } from "@/lib/format";
import { shellLine } from "@/lib/shell";
import { Fact, Facts } from "./facts";
import { Gallery } from "./gallery";
import { type Verified, VerifyResult } from "./verify-result";

type Value = Record<string, unknown>;

function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** What an operation returned, by its kind. */
export function OperationResult({ operation }: { operation: OperationEntry }) {
  const result = (operation.result ?? null) as Value | null;
  if (result === null) return null;
  if (operation.kind === "build") return <BuildResult result={result} workflow={operation.workflow} />;
  if (operation.kind === "verify") return <VerifyResult result={result as Verified} />;
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
  if (operation.kind === "restore") return <RestoreResult result={result} />;
  return operation.workflow === "" ? <MachineResult result={result} /> : null;
}

/** What was done to the machine: each figure, and how many there are of what is a list. */
function MachineResult({ result }: { result: Value }) {
  const rows = Object.entries(result).filter(([name, value]) => name !== "schema_version" && (Array.isArray(value) || typeof value !== "object"));
  return (
    <Facts>
      {rows.map(([name, value]) => (
        <Fact key={name} term={name.replaceAll("_", " ")}>
          {Array.isArray(value) ? value.length : name === "size" ? formatSize(Number(value)) : String(value)}
        </Fact>
      ))}
    </Facts>
  );
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

function RestoreResult({ result }: { result: Value }) {
  const folder = text(result["folder"]) || text(result["project"]);
  if (folder !== "") {
    return (
      <Facts>
        <Fact term="Version">{text(result["version"])}</Fact>
        <Fact term={typeof result["project"] === "string" ? "Nix project" : "ComfyUI folder"} wide>
          <Copyable text={folder} label="path" />
        </Fact>
        {typeof result["folder"] === "string" && (
          <Fact term="Run it" wide>
            <Copyable text={`cd ${shellLine([folder])} && .venv/bin/python main.py`} label="the command" />
          </Fact>
        )}
      </Facts>
    );
  }
  return (
    <Facts>
      <Fact term="Restored">
        <Badge variant={result["same"] === true ? "success" : "outline"}>{result["same"] === true ? "bit for bit" : "nothing to compare with"}</Badge>
      </Fact>
      <Fact term="Version">
        {text(result["name"])}@{text(result["version"])}
      </Fact>
      <Fact term="Layers">{text(result["layers_built"])} built</Fact>
      <Fact term="Took">{formatDuration(Number(result["seconds"]))}</Fact>
      <Fact term="Image" wide>
        <Copyable text={text(result["manifest_digest"])} label="digest" />
      </Fact>
      <Fact term="Layout" wide>
        <Copyable text={text(result["oci"])} label="path" />
      </Fact>
    </Facts>
  );
}
