import { useLocation } from "wouter";
import { type OperationRequest, useStartOperation } from "@/api/queries";
import { useRefusal } from "@/api/session";
import { Button } from "@/components/ui/button";
import { describeFix, type Fix, machineRequestOf } from "@/lib/fixes";
import { pathOf } from "@/lib/operations";

/** Starts what a fix asks for; nothing where that needs a person. */
export function DoFix({ fix }: { fix: Fix }) {
  const request = machineRequestOf(fix);
  return request === null ? null : <DoButton request={request} words={describeFix(fix)} />;
}

function DoButton({ request, words }: { request: OperationRequest; words: string }) {
  const [, navigate] = useLocation();
  const start = useStartOperation();
  const refused = useRefusal("build");
  const act = () => start.mutate(request, { onSuccess: (operation) => navigate(pathOf(operation)) });
  return (
    <Button variant="outline" size="sm" className="h-6 shrink-0 px-2" disabled={start.isPending} refused={refused} onClick={act} aria-label={`Do it: ${words}`}>
      Do it
    </Button>
  );
}
