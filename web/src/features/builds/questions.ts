import type { OperationRequest } from "@/api/queries";
import type { ProblemLike } from "@/lib/fixes";

/** A node pack that may be meant, with what speaks for it. */
export type Candidate = {
  url: string;
  stars: number | null;
  updated: string | null;
  also?: string[];
  fitting?: number;
  saved?: number;
  problems?: string[];
  made?: string | null;
};

/** A node type that several packs have: which is meant is for a person to say. */
export type Question = { problem: ProblemLike; types: string[]; candidates: Candidate[] };

type Raw = ProblemLike & { types?: string[]; type?: string; candidates?: Candidate[] };

/** The questions among an error's problems, and the other problems. */
export function splitQuestions(error: ProblemLike): { questions: Question[]; others: ProblemLike[] } {
  const problems = (error.problems ?? [error]) as Raw[];
  const isQuestion = (one: Raw) => (one.candidates?.length ?? 0) > 0;
  return {
    questions: problems.filter(isQuestion).map((one) => ({ problem: one, types: one.types ?? (one.type === undefined ? [] : [one.type]), candidates: one.candidates ?? [] })),
    others: problems.filter((one) => !isQuestion(one)),
  };
}

/** The name by which a pack is preferred: owner/name on GitHub, else its address. */
export function packName(candidate: Candidate): string {
  return candidate.url.replace(/^https:\/\/github\.com\//, "").replace(/\.git$/, "");
}

/** What speaks for and against a candidate, a phrase each. */
export function listEvidence(candidate: Candidate): { text: string; against: boolean }[] {
  const found: { text: string; against: boolean }[] = [];
  const problems = candidate.problems ?? [];
  if (problems.length > 0) found.push(...problems.slice(0, 3).map((problem) => ({ text: `does not fit: ${problem}`, against: true })));
  else if ((candidate.saved ?? 0) > 0) found.push({ text: `fits ${candidate.fitting ?? 0} of ${candidate.saved} saved inputs and outputs`, against: (candidate.fitting ?? 0) < (candidate.saved ?? 0) });
  found.push({ text: candidate.stars === null ? "stars unknown" : `${candidate.stars.toLocaleString("en")} star${candidate.stars === 1 ? "" : "s"}`, against: false });
  if (candidate.updated) found.push({ text: `updated ${candidate.updated}`, against: false });
  if (candidate.made) found.push({ text: `has it since ${candidate.made}`, against: false });
  const also = candidate.also ?? [];
  if (also.length > 0) found.push({ text: `also has ${also.slice(0, 4).join(", ")}${also.length > 4 ? ` and ${also.length - 4} more` : ""} of this workflow`, against: false });
  return found;
}

/** The lock with the answers; what was preferred in the request that asked stays. */
export function answer(before: OperationRequest, workflow: string, answers: readonly string[]): OperationRequest {
  const given = before.kind === "lock" ? before : null;
  return {
    kind: "lock",
    workflow,
    prefer: [...new Set([...answers, ...(given?.prefer ?? [])])],
    packs: given?.packs ?? [],
    update: given?.update ?? [],
  };
}

