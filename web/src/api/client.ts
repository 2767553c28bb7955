import createClient from "openapi-fetch";
import type { paths, Problem } from "./schema";

export const api = createClient<paths>({ baseUrl: window.location.origin });

/** What the server says went wrong: problem+json, with the place and the fixes. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.name = "ProblemError";
    this.problem = problem;
  }
}

/** The problem of any error, for those that show it. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  const message = error instanceof Error ? error.message : String(error);
  const offline = error instanceof TypeError;
  return {
    title: message,
    status: 0,
    code: offline ? "unreachable" : "bug",
    message: offline ? "the server does not answer" : message,
    where: offline ? window.location.origin : "",
    fix: "",
    fixes: offline ? [{ advice: "start `pycomfy serve` again, and open the address that it prints" }] : [],
  };
}

/** The data of an answer. Throws a `ProblemError` for any other. */
export async function unwrap<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok) return data as T;
  const known = typeof error === "object" && error !== null && "message" in error;
  throw new ProblemError(
    known
      ? (error as Problem)
      : { title: "error", status: response.status, code: "bug", message: `the server says ${response.status}`, where: response.url, fix: "", fixes: [] },
  );
}
