import { Link } from "wouter";
import { OperationView } from "./operation-view";

/** An operation that is for the machine, and for no workflow. */
export default function MachineOperation({ id }: { id: string }) {
  return (
    <div className="mx-auto w-full max-w-4xl space-y-4 p-4 md:p-6">
      <h1 className="text-lg font-semibold">
        <Link href="/system" className="rounded-sm outline-none hover:underline focus-visible:ring-2 focus-visible:ring-ring">
          System
        </Link>
      </h1>
      <OperationView key={id} id={id} workflow="" />
    </div>
  );
}
