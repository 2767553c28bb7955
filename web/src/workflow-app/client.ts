import createClient from "openapi-fetch";
import type { components, paths } from "./schema";
import { authorization } from "./session";

type Schemas = components["schemas"];
export type InterfaceView = Schemas["InterfaceView"];
export type Interface = Schemas["Interface"];
export type Parameter = Schemas["Parameter"];
export type FileRecord = Schemas["FileRecord"];
export type OutputFile = Schemas["OutputFile"];
export type Progress = Schemas["Progress"];
export type Problem = Schemas["Problem"];
/** A job of any workflow: the names of its outputs are those of the interface. */
export type Job = Omit<Schemas["Job"], "inputs" | "outputs"> & { inputs: Record<string, unknown>; outputs: Record<string, OutputFile[]> };
export type JobState = Job["status"];

/** Where the API is: the folder of this page, which a proxy may have below a path. */
export const BASE = new URL(".", document.baseURI).href.replace(/\/$/, "");

export const api = createClient<paths>({ baseUrl: BASE });
api.use({
  onRequest: ({ request }) => {
    for (const [name, value] of Object.entries(authorization())) request.headers.set(name, value);
    return request;
  },
});

/** What the gateway refused, in its own words; `status` is 0 where it does not answer. */
export class Refused extends Error {
  readonly status: number;
  readonly problem: Problem | null;

  constructor(status: number, problem: Problem | null) {
    super(problem?.detail ?? (status === 0 ? "The server does not answer." : `The server answers ${status}.`));
    this.name = "Refused";
    this.status = status;
    this.problem = problem;
  }
}

export function isUnauthorized(error: unknown): boolean {
  return error instanceof Refused && error.status === 401;
}

/** The data of an answer. Throws `Refused` for any other. */
export async function unwrap<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer.catch(() => {
    throw new Refused(0, null);
  });
  if (response.ok) return data as T;
  throw new Refused(response.status, typeof error === "object" && error !== null && "detail" in error ? (error as Problem) : null);
}

/** The messages of a problem by the name of the input that they are about. */
export function problemsOfInputs(error: unknown): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { pointer, detail } of (error instanceof Refused && error.problem?.errors) || []) {
    const name = /^\/inputs\/([a-z0-9_]+)/.exec(pointer ?? "")?.[1];
    if (name !== undefined) found[name] ??= detail.replace(`${name}: `, "");
  }
  return found;
}

export function contentUrl(file: string): string {
  return `${BASE}/v1/files/${encodeURIComponent(file)}/content`;
}
