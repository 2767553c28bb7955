import type { AuditEntry } from "@/api/schema";

/** Requests in words, by method and path; what is in brackets of a pattern is put in for `$1`, `$2`. */
const ACTIONS: [RegExp, string][] = [
  [/^sign in$/, "sign in"],
  [/^DELETE \/api\/session$/, "sign out"],
  [/^POST \/api\/workflows$/, "add a workflow"],
  [/^POST \/api\/workflows\/example$/, "add the example"],
  [/^POST \/api\/workflows\/([^/]+)\/values$/, "change values of $1"],
  [/^DELETE \/api\/workflows\/([^/]+)\/folder$/, "remove the working folder of $1"],
  [/^POST \/api\/workflows\/([^/]+)\/versions\/(\d+)\/tags$/, "tag $1@$2"],
  [/^DELETE \/api\/workflows\/([^/]+)\/tags\/([^/]+)$/, "remove the tag $2 of $1"],
  [/^POST \/api\/workflows\/([^/]+)\/versions\/(\d+)\/branch$/, "branch from $1@$2"],
  [/^POST \/api\/workflows\/([^/]+)\/versions\/(\d+)\/revert$/, "revert $1 to version $2"],
  [/^POST \/api\/workflows\/([^/]+)\/merge$/, "merge into $1"],
  [/^POST \/api\/uploads$/, "send a file"],
  [/^POST \/api\/operations$/, "start an operation"],
  [/^POST \/api\/operations\/([^/]+)\/cancel$/, "cancel an operation"],
];

/** What somebody did, or wanted to do, in words; an unknown request as it is. */
export function describeAction({ action, what }: Pick<AuditEntry, "action" | "what">): string {
  const found = ACTIONS.map(([pattern, words]) => [pattern.exec(action), words] as const).find(([match]) => match !== null);
  const words = found === undefined ? action : found[1].replace(/\$(\d)/g, (_, at: string) => readName(found[0]?.[Number(at)] ?? ""));
  if (what === undefined || what === "") return words;
  const [kind, workflow] = what.split(" ");
  return action === "POST /api/operations" ? `${kind} ${workflow}` : `${words}: ${what}`;
}

/** What became of it, by the status of the answer. */
export function statusOf(status: number): string {
  if (status < 400) return "done";
  if (status === 401) return "wrong key";
  if (status === 403) return "refused";
  if (status === 429) return "too often";
  return status >= 500 ? "failed" : "not possible";
}

function readName(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
