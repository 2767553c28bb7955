import { useQuery } from "@tanstack/react-query";
import { valuesQuery } from "@/api/edit-queries";
import type { CanvasNode, GraphResult } from "@/api/schema";
import { LoadError, Loading } from "@/components/states";
import { type Edits, editKey, useDrafts } from "./drafts";
import { ValueField } from "./value-field";

type Props = { workflow: string; graph: GraphResult; canvas: string; node: CanvasNode; edits: Edits; base: string };

/** The values of a node, to be changed. */
export function NodeValues({ workflow, graph, canvas, node, edits, base }: Props) {
  const { data, error, refetch, isPending } = useQuery(valuesQuery(workflow, canvas, node.id, graph.base));
  const edit = useDrafts((state) => state.edit);
  if (isPending) return <Loading rows={Math.min(5, node.values.length)} className="mt-3" />;
  if (error !== null) return <LoadError error={error} retry={refetch} />;
  return (
    <form aria-label={`Values of ${node.title}`} className="mt-3 space-y-2.5" onSubmit={(e) => e.preventDefault()}>
      {data.values.map((value, at) => {
        const place = { graph: canvas, node: node.id, key: value.key };
        return (
          <ValueField
            key={value.key}
            value={value}
            at={at}
            text={edits[editKey(place)]?.text ?? value.text}
            onChange={(text, problem) => edit(workflow, base, { ...place, title: node.title, at, name: value.name, old: value.text, text, problem })}
          />
        );
      })}
      {!data.known && data.values.length > 0 && (
        <p className="text-[0.78rem] text-muted-foreground">Bounds and choices of this node are known once it was built.</p>
      )}
    </form>
  );
}
