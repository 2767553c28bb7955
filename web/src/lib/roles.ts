import type { Session } from "@/api/schema";

const ROLES = ["view", "run", "build", "owner"] as const;

/** Whether a role may what another one may. */
export function isEnough(role: Session["role"], needed: Session["role"]): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/** The role that an operation needs, by its kind. */
export function roleOf(kind: string): Session["role"] {
  return kind === "run" ? "run" : "build";
}

/** Why somebody may not do what needs a role; undefined where they may. */
export function refusalOf(role: Session["role"], needed: Session["role"]): string | undefined {
  if (isEnough(role, needed)) return undefined;
  return needed === "owner" ? "Only who started the server may do this" : `This needs the role “${needed}”; yours is “${role}”`;
}
