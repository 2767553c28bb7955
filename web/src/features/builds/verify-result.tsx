import { Copyable } from "@/components/copy-button";
import { Badge } from "@/components/ui/badge";
import { count, formatDuration, shortDigest } from "@/lib/format";
import { Fact, Facts } from "./facts";

export type Difference = { what: string; recorded: string; rebuilt: string; why?: string[]; report?: string };
export type Verified = { equal: boolean; differences: Difference[]; layers: number; seconds: number; recorded: string; rebuilt: string; name: string; version: number };

/** The proof: two digests, and the first layer and file that differ. */
export function VerifyResult({ result }: { result: Verified }) {
  const differences = result.differences ?? [];
  return (
    <div className="space-y-3">
      <Facts>
        <Fact term="Proof">
          <Badge variant={result.equal ? "success" : "destructive"}>{result.equal ? "every digest is equal" : count(differences.length, "difference")}</Badge>
        </Fact>
        <Fact term="Version">
          {result.name}@{result.version}
        </Fact>
        <Fact term="Layers">{result.layers} built again</Fact>
        <Fact term="Took">{formatDuration(result.seconds)}</Fact>
        <Fact term="Recorded" wide>
          <Copyable text={result.recorded} label="recorded digest" />
        </Fact>
        <Fact term="Built again" wide>
          <Copyable text={result.rebuilt} label="rebuilt digest" />
        </Fact>
      </Facts>
      {differences.length > 0 && (
        <ol className="overflow-hidden rounded-lg border bg-card" aria-label="Differences">
          {differences.map((one) => (
            <li key={one.what} className="space-y-1 border-b px-3 py-2 last:border-0">
              <p className="flex flex-wrap items-baseline gap-x-3">
                <span className="font-medium">{one.what}</span>
                <code className="text-[0.8rem] text-muted-foreground">
                  {shortDigest(one.recorded)} → {shortDigest(one.rebuilt)}
                </code>
              </p>
              {(one.why ?? []).slice(0, 20).map((line) => (
                <p key={line} className="text-[0.84rem] break-words">
                  {line}
                </p>
              ))}
              {one.report !== undefined && one.report !== "" && (
                <details>
                  <summary className="text-[0.84rem] text-info">All that differs</summary>
                  <pre tabIndex={0} className="max-h-72 overflow-auto text-[0.78rem]">
                    {one.report}
                  </pre>
                </details>
              )}
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}
