import { useQuery } from "@tanstack/react-query";
import { Ban, RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { useLocation } from "wouter";
import { sessionQuery } from "@/api/edit-queries";
import { useOperationLog } from "@/api/live";
import { operationQuery, type OperationRequest, useCancelOperation, useStartOperation } from "@/api/queries";
import type { OperationEntry } from "@/api/schema";
import { useRefusal } from "@/api/session";
import { Copyable } from "@/components/copy-button";
import { ProblemView } from "@/components/problem-view";
import { OperationState } from "@/components/state-badge";
import { LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { type Fix, type ProblemLike, requestOf } from "@/lib/fixes";
import { formatTime } from "@/lib/format";
import { pathOf, titleOf } from "@/lib/operations";
import { refusalOf, roleOf } from "@/lib/roles";
import { shellLine } from "@/lib/shell";
import { Log } from "./log";
import { answer, splitQuestions } from "./questions";
import { QuestionsForm } from "./questions-form";
import { OperationResult } from "./operation-result";
import { Steps } from "./steps";

/** One operation: its state, its steps while they happen, its log, and what came of it. `children` come below that once
 * its log is there, which would move them. */
export function OperationView({ id, workflow, children }: { id: string; workflow: string; children?: ReactNode }) {
  const [, navigate] = useLocation();
  const { data: operation, error, refetch, isPending } = useQuery(operationQuery(id));
  const log = useOperationLog(id);
  const cancel = useCancelOperation();
  const start = useStartOperation();
  const { data: session } = useQuery(sessionQuery);
  const cannotBuild = useRefusal("build");
  if (isPending) return <Loading />;
  if (error !== null) return <LoadError error={error} retry={refetch} />;

  const again = async (request: OperationRequest) => {
    const next = await start.mutateAsync(request);
    navigate(pathOf(next));
  };
  const act = (fix: Fix) => {
    const request = requestOf(fix, workflow);
    return request === null || cannotBuild !== undefined ? null : () => void again(request);
  };
  const busy = operation.state === "running" || operation.state === "waiting";
  const isOwn = session === undefined || operation.created_by === session.name;
  const cannotStart = session === undefined ? undefined : refusalOf(session.role, roleOf(operation.kind));
  const cannotCancel = session === undefined ? undefined : refusalOf(session.role, isOwn ? "run" : "build");
  return (
    <section aria-label={titleOf(operation.kind)} className="space-y-4">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="text-base font-semibold">{titleOf(operation.kind)}</h2>
        <OperationState state={operation.state} />
        <time className="text-[0.84rem] text-muted-foreground" dateTime={operation.created_at}>
          {formatTime(operation.created_at)}
        </time>
        <div className="flex-1" />
        {busy ? (
          <Button variant="destructive" size="sm" onClick={() => cancel.mutate(id)} disabled={cancel.isPending || cancel.isSuccess} refused={cannotCancel}>
            <Ban /> {cancel.isSuccess ? "Ending" : "Cancel"}
          </Button>
        ) : (
          <Button variant="outline" size="sm" disabled={start.isPending} refused={cannotStart} onClick={() => void again(operation.arguments as OperationRequest)}>
            <RotateCw /> Again
          </Button>
        )}
      </div>
      {operation.command !== undefined && operation.command.length > 0 && (
        <div className="flex flex-wrap items-center gap-x-2 rounded-md border bg-card px-2.5 py-0.5">
          <span className="shrink-0 text-[0.78rem] text-muted-foreground">On the command line</span>
          <Copyable text={shellLine(["pycomfy", ...operation.command])} label="the command" />
        </div>
      )}
      <Outcome operation={operation} act={act} busy={start.isPending} refused={cannotBuild} onAnswer={(answers) => void again(answer(operation.arguments as OperationRequest, workflow, answers))} />
      {operation.state === "waiting" && <p className="text-muted-foreground">It waits until another operation is done.</p>}
      <Steps steps={log.steps} running={operation.state === "running"} />
      <Log lines={log.lines} live={operation.state === "running"} />
      {operation.state === "done" && <OperationResult operation={operation} />}
      {(log.seq > 0 || !["running", "done"].includes(operation.state)) && children}
    </section>
  );
}

type OutcomeProps = { operation: OperationEntry; act: (fix: Fix) => (() => void) | null; onAnswer: (answers: string[]) => void; busy: boolean; refused: string | undefined };

function Outcome({ operation, act, onAnswer, busy, refused }: OutcomeProps) {
  if (operation.error !== null && operation.error !== undefined) {
    const { questions, others } = splitQuestions(operation.error as ProblemLike);
    return (
      <div role="alert" className="space-y-3">
        {questions.length > 0 && <QuestionsForm questions={questions} onAnswer={onAnswer} busy={busy} refused={refused} />}
        {others.length > 0 && (
          <div className="rounded-lg border border-destructive/30 bg-card p-3">
            <ProblemView problem={{ ...operation.error, message: "", problems: others }} act={act} />
          </div>
        )}
      </div>
    );
  }
  if (operation.state === "interrupted") {
    return (
      <p role="alert" className="rounded-lg border border-warning/30 bg-warning/5 px-3 py-2">
        Its process ended without a result: the machine was restarted, or it was killed. Nothing was left half-done; start it again.
      </p>
    );
  }
  if (operation.state === "failed") return <p role="alert" className="text-destructive">It failed; the log says why.</p>;
  return null;
}
