import { useQuery } from "@tanstack/react-query";
import { refusalOf } from "@/lib/roles";
import { ProblemError, problemOf } from "./client";
import { sessionQuery } from "./edit-queries";
import type { Problem, Session } from "./schema";

/** How somebody who is not known can sign in: by the address that was printed, by a key, or through a proxy. */
export type SignIn = Session["sign_in_with"];

export type Opened = { session: Session | null; signInWith: SignIn };

/** Change the token in the address for a cookie, and take it out of the address; return who one is. */
export async function openSession(): Promise<Opened> {
  const token = new URLSearchParams(window.location.hash.slice(1)).get("token");
  if (token !== null) {
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
    await signIn(token).catch(() => undefined);
  }
  const answer = await fetch("/api/session");
  if (answer.ok) {
    const session = (await answer.json()) as Session;
    return { session, signInWith: session.sign_in_with };
  }
  const problem = (await answer.json().catch(() => ({}))) as { sign_in_with?: SignIn };
  return { session: null, signInWith: problem.sign_in_with ?? "token" };
}

/** Change a token or a key for a cookie. Throws a `ProblemError` for a wrong one. */
export async function signIn(token: string): Promise<void> {
  const answer = await fetch("/api/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (answer.ok) return;
  const problem = (await answer.json().catch(() => null)) as Problem | null;
  throw new ProblemError(problem ?? problemOf(new Error(`the server says ${answer.status}`)));
}

export async function signOut(): Promise<void> {
  await fetch("/api/session", { method: "DELETE" });
  window.location.assign("/");
}

/** Why whoever uses the page may not do what needs a role; undefined where they may. The server decides; the page greys
 * out what it would refuse. */
export function useRefusal(needed: Session["role"]): string | undefined {
  const { data } = useQuery(sessionQuery);
  return data === undefined ? undefined : refusalOf(data.role, needed);
}

/** Whether whoever uses the page may do what needs a role: for what is left out, not greyed out. */
export function useMay(needed: Session["role"]): boolean {
  return useRefusal(needed) === undefined;
}
