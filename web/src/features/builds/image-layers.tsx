import { useQuery } from "@tanstack/react-query";
import { imageQuery } from "@/api/queries";
import { Copyable } from "@/components/copy-button";
import { Section } from "@/components/section";
import { LoadError, Loading } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { formatSize, shortDigest } from "@/lib/format";
import { Fact, Facts } from "./facts";

/** The newest image: its digests, and its layers with what the version before has, too. */
export function ImageLayers({ name, version }: { name: string; version: number }) {
  const { data: image, error, refetch, isPending } = useQuery(imageQuery(name, version));
  if (isPending) return <Loading rows={4} />;
  if (error !== null) return <LoadError error={error} retry={refetch} />;
  const shared = image.layers.filter((layer) => layer.shared);
  const largest = Math.max(1, ...image.layers.map((layer) => layer.size ?? 0));
  const note = version > 1 ? `${shared.length} of them as in version ${version - 1}` : formatSize(image.size);
  return (
    <Section title={`Image of version ${version}`} note={`${image.layers.length} layers, ${note}`}>
      <Facts>
        <Fact term="Manifest" wide>
          <Copyable text={image.manifest_digest} label="manifest digest" />
        </Fact>
        <Fact term="Config" wide>
          <Copyable text={image.config_digest} label="config digest" />
        </Fact>
        <Fact term={image.here ? "OCI layout" : "OCI layout, which is not here any more"} wide>
          <Copyable text={image.oci} label="path" />
        </Fact>
      </Facts>
      <Table>
        <TableHeader>
          <TableRow>
            <TableHead>Layer</TableHead>
            <TableHead className="hidden sm:table-cell">Digest</TableHead>
            <TableHead className="text-right">Size</TableHead>
          </TableRow>
        </TableHeader>
        <TableBody>
          {image.layers.map((layer) => (
            <TableRow key={layer.digest}>
              <TableCell className="max-w-64 truncate">
                {layer.name || "–"} {layer.shared && <Badge variant="outline">reused</Badge>}
              </TableCell>
              <TableCell className="hidden whitespace-nowrap sm:table-cell">
                <Copyable text={layer.digest} shown={shortDigest(layer.digest)} label={`digest of ${layer.name}`} className="text-muted-foreground" />
              </TableCell>
              <TableCell className="w-56 text-right tabular-nums">
                <span className="flex items-center justify-end gap-2">
                  <span className="hidden h-1.5 flex-1 overflow-hidden rounded-full bg-muted md:block" aria-hidden>
                    <span className="block h-full rounded-full bg-info/50" style={{ width: `${((layer.size ?? 0) / largest) * 100}%` }} />
                  </span>
                  <span className="w-18 shrink-0">{layer.size == null ? "–" : formatSize(layer.size)}</span>
                </span>
              </TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </Section>
  );
}
