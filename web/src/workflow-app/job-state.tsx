import { Ban, Check, Clock, LoaderCircle, TimerOff, X } from "lucide-react";
import { Badge, type BadgeVariant } from "@/components/ui/badge";
import type { JobState } from "./client";

const STATES: Record<JobState, [BadgeVariant, typeof Check, string]> = {
  queued: ["default", Clock, "waiting"],
  running: ["info", LoaderCircle, "running"],
  canceling: ["default", LoaderCircle, "cancelling"],
  succeeded: ["success", Check, "done"],
  failed: ["destructive", X, "failed"],
  canceled: ["outline", Ban, "cancelled"],
  expired: ["warning", TimerOff, "expired"],
};

export function JobStateBadge({ state }: { state: JobState }) {
  const [variant, Icon, text] = STATES[state];
  return (
    <Badge variant={variant}>
      <Icon className={text === "running" || text === "cancelling" ? "animate-spin" : ""} aria-hidden />
      {text}
    </Badge>
  );
}
