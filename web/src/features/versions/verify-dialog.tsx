import { useQuery } from "@tanstack/react-query";
import { ShieldCheck } from "lucide-react";
import { problemOf } from "@/api/client";
import { imageQuery, useStartOperation } from "@/api/queries";
import { ProblemView } from "@/components/problem-view";
import { LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Dialog, DialogBody, DialogFooter } from "@/components/ui/dialog";
import { formatSize } from "@/lib/format";

/** What an empty store with the image needs, in parts of the image. */
const NEEDED = 1.6;

type Props = { name: string; version: number; onClose: () => void; onStarted: (id: string) => void };

/** Says what verifying a version takes, and starts it. */
export function VerifyDialog({ name, version, onClose, onStarted }: Props) {
  const { data: image, error, refetch, isPending } = useQuery(imageQuery(name, version));
  const start = useStartOperation();
  const verify = async () => {
    const operation = await start.mutateAsync({ kind: "verify", workflow: `${name}@${version}` }).catch(() => null);
    if (operation !== null) onStarted(operation.id);
  };
  return (
    <Dialog title={`Verify version ${version}`} description={`Proves that ${name} comes out bit for bit as it was recorded.`} onClose={onClose}>
      <DialogBody>
        {isPending ? (
          <Loading rows={3} />
        ) : error !== null ? (
          <LoadError error={error} retry={refetch} />
        ) : (
          <ol className="list-decimal space-y-1 pl-5 text-[0.88rem] [overflow-wrap:anywhere]">
            <li>An empty Nix store is made beside the data, and gets the sources that the lock pins, by their hashes. No built layer is taken over.</li>
            <li>All {image.layers.length} layers are built again, which takes minutes.</li>
            <li>
              Every digest is compared with what was recorded; the image's is <code className="text-[0.8rem]">{image.manifest_digest}</code>. What differs is named down to the file.
            </li>
            <li>
              The store is removed again. Until then it takes about {formatSize(image.size * NEEDED)} of disk. No version changes.
            </li>
          </ol>
        )}
        {start.error !== null && (
          <div role="alert" className="rounded-md border border-destructive/30 p-3">
            <ProblemView problem={problemOf(start.error)} />
          </div>
        )}
      </DialogBody>
      <DialogFooter>
        <Button variant="ghost" onClick={onClose}>
          Leave it
        </Button>
        <Button disabled={image === undefined || start.isPending} onClick={() => void verify()}>
          <ShieldCheck /> Verify
        </Button>
      </DialogFooter>
    </Dialog>
  );
}
