import { useQuery } from "@tanstack/react-query";
import { RotateCw } from "lucide-react";
import { useState } from "react";
import { diskQuery, doctorQuery } from "@/api/system-queries";
import { useMay } from "@/api/session";
import { Section } from "@/components/section";
import { LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { AuditTable } from "./audit-table";
import { DiskTable } from "./disk-table";
import { Findings } from "./findings-view";

/** The machine: what is healthy on it, and what is used of its disk. */
export default function SystemPage() {
  const [network, setNetwork] = useState(false);
  const doctor = useQuery(doctorQuery(!network));
  const disk = useQuery(diskQuery);
  const mayReadLog = useMay("build");
  return (
    <div className="mx-auto w-full max-w-6xl space-y-8 p-4 md:p-6">
      <h1 className="text-lg font-semibold">System</h1>
      <Section
        title="Health"
        actions={
          <>
            <label className="flex items-center gap-1.5 text-[0.86rem]">
              <input type="checkbox" className="size-4 accent-primary" checked={network} onChange={(e) => setNetwork(e.target.checked)} />
              ask servers, too
            </label>
            <Button variant="outline" size="sm" disabled={doctor.isFetching} onClick={() => void doctor.refetch()}>
              <RotateCw /> Look again
            </Button>
          </>
        }
      >
        {doctor.isPending || (doctor.isFetching && doctor.data === undefined) ? (
          <Loading rows={8} className="min-h-[38rem] sm:min-h-[22rem]" />
        ) : doctor.error !== null ? (
          <LoadError error={doctor.error} retry={doctor.refetch} />
        ) : (
          <Findings result={doctor.data} />
        )}
      </Section>
      <Section title="Disk">
        {disk.isPending ? <Loading rows={8} /> : disk.error !== null ? <LoadError error={disk.error} retry={disk.refetch} /> : <DiskTable usage={disk.data} />}
      </Section>
      {mayReadLog && (
        <Section title="Who did what">
          <AuditTable />
        </Section>
      )}
    </div>
  );
}
