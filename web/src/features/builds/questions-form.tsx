import { CircleHelp, Lock } from "lucide-react";
import { useId, useState } from "react";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { count } from "@/lib/format";
import { type Candidate, listEvidence, packName, type Question } from "./questions";

type Props = { questions: Question[]; onAnswer: (answers: string[]) => void; busy: boolean; refused?: string | undefined };

/** The questions of the resolver, each with its candidates and what speaks for them. Nothing is chosen beforehand. */
export function QuestionsForm({ questions, onAnswer, busy, refused }: Props) {
  const [answers, setAnswers] = useState<Record<number, string>>({});
  const open = questions.length - Object.keys(answers).length;
  return (
    <form
      aria-label="Questions"
      className="space-y-4 rounded-lg border border-info/40 bg-card p-3"
      onSubmit={(e) => {
        e.preventDefault();
        onAnswer([...new Set(Object.values(answers))]);
      }}
    >
      <div className="flex items-start gap-2">
        <CircleHelp className="mt-0.5 size-4 shrink-0 text-info" aria-hidden />
        <p className="min-w-0 flex-1 text-[0.88rem]">
          <span className="font-medium">{questions.length === 1 ? "Which node pack is meant?" : `Which node packs are meant? ${count(questions.length, "question")}`}</span>
          <span className="block text-muted-foreground">The workflow does not say it, and nothing is guessed. The answers go into its lock.</span>
        </p>
      </div>
      {questions.map((question, at) => (
        <QuestionView key={at} question={question} chosen={answers[at]} onChoose={(name) => setAnswers({ ...answers, [at]: name })} />
      ))}
      <div className="flex items-center gap-3">
        <Button type="submit" disabled={open > 0 || busy} refused={refused}>
          <Lock /> Lock with {questions.length === 1 ? "this answer" : "these answers"}
        </Button>
        {open > 0 && <span className="text-[0.84rem] text-muted-foreground">{count(open, "question")} open</span>}
      </div>
    </form>
  );
}

function QuestionView({ question, chosen, onChoose }: { question: Question; chosen: string | undefined; onChoose: (name: string) => void }) {
  const id = useId();
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1 text-[0.88rem] font-medium break-words">{question.problem.message}</legend>
      {question.problem.where !== undefined && question.problem.where !== "" && (
        <p className="mb-1.5 line-clamp-3 text-[0.8rem] break-words text-muted-foreground">{question.problem.where}</p>
      )}
      <div className="space-y-1">
        {question.candidates.map((candidate) => (
          <Choice key={candidate.url} group={id} candidate={candidate} chosen={chosen === packName(candidate)} onChoose={() => onChoose(packName(candidate))} />
        ))}
      </div>
    </fieldset>
  );
}

function Choice({ group, candidate, chosen, onChoose }: { group: string; candidate: Candidate; chosen: boolean; onChoose: () => void }) {
  const evidence = listEvidence(candidate);
  const fits = (candidate.saved ?? 0) > 0 && candidate.fitting === candidate.saved && (candidate.problems ?? []).length === 0;
  return (
    <label className="flex gap-2.5 rounded-md border px-2.5 py-1.5 hover:bg-accent/40 has-checked:border-ring has-checked:bg-accent/50">
      <input type="radio" name={group} className="mt-1 accent-primary" checked={chosen} onChange={onChoose} />
      <span className="min-w-0 flex-1">
        <span className="flex flex-wrap items-center gap-x-2">
          <span className="font-medium break-all">{packName(candidate)}</span>
          {fits && <Badge variant="success">fits the saved nodes</Badge>}
          {(candidate.problems ?? []).length > 0 && <Badge variant="warning">does not fit</Badge>}
        </span>
        <span className="block text-[0.82rem] text-muted-foreground">
          {evidence.map((one, at) => (
            <span key={one.text} className={cn(one.against && "text-warning")}>
              {at > 0 && " · "}
              {one.text}
            </span>
          ))}
        </span>
        <span className="block truncate text-[0.78rem] text-muted-foreground">{candidate.url}</span>
      </span>
    </label>
  );
}
