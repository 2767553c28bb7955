import { Ban, Check, CircleSlash, Clock, LoaderCircle, X } from "lucide-react";
import type { OperationEntry, WorkflowEntry } from "@/api/schema";
import { Badge, type BadgeVariant } from "@/components/ui/badge";

const WORKFLOW: Record<WorkflowEntry["state"], [BadgeVariant, string, string]> = {
  new: ["outline", "not built", "neither locked nor built yet"],
  locked: ["outline", "locked", "everything is pinned; it was not built yet"],
  built: ["success", "built", "the newest version has been built"],
  changed: ["warning", "changed", "its file differs from the newest version"],
};

export function WorkflowState({ state }: { state: WorkflowEntry["state"] }) {
  const [variant, text, title] = WORKFLOW[state];
  return (
    <Badge variant={variant} title={title}>
      {text}
    </Badge>
  );
}

const OPERATION: Record<OperationEntry["state"], [BadgeVariant, typeof Check]> = {
  waiting: ["default", Clock],
  running: ["info", LoaderCircle],
  done: ["success", Check],
  failed: ["destructive", X],
  cancelled: ["outline", Ban],
  interrupted: ["warning", CircleSlash],
};

export function OperationState({ state }: { state: OperationEntry["state"] }) {
  const [variant, Icon] = OPERATION[state];
  return (
    <Badge variant={variant}>
      <Icon className={state === "running" ? "animate-spin" : ""} aria-hidden />
      {state}
    </Badge>
  );
}
