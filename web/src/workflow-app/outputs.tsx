import { Download } from "lucide-react";
import { type OutputKind, OutputFigure, SaveLink } from "@/components/output-figure";
import { Button } from "@/components/ui/button";
import { contentUrl, type InterfaceView, type Job, type OutputFile } from "./client";
import { useContent } from "./content";
import { fetchContent } from "./queries";
import { sentence } from "./labels";
import { useKey } from "./session";

const SHOWN = new Set<string>(["image", "video", "audio"]);

type Group = { title: string; files: OutputFile[] };

/** The outputs in the order of the interface, those that its events told with them. */
export function groupOutputs(about: InterfaceView, job: Job, live: readonly OutputFile[]): Group[] {
  const there = new Set([...Object.values(job.outputs).flat(), ...job.other_outputs].map((one) => one.id));
  const fresh = live.filter((one) => !there.has(one.id));
  const nodes = new Set(about.interface.outputs.map((one) => one.node));
  const groups = about.interface.outputs.map((one) => ({
    title: one.title || sentence(one.name),
    files: [...(job.outputs[one.name] ?? []), ...fresh.filter((file) => file.node === one.node)],
  }));
  const others = [...job.other_outputs, ...fresh.filter((file) => !nodes.has(file.node))];
  return [...groups, { title: "Others", files: others }].filter((group) => group.files.length > 0);
}

/** What a job made. */
export function Outputs({ groups }: { groups: Group[] }) {
  return (
    <div className="space-y-5">
      {groups.map(({ title, files }, at) => (
        <section key={at} aria-label={title}>
          {groups.length > 1 && <h3 className="mb-1.5 text-[0.84rem] font-medium break-words">{title}</h3>}
          <ul className={files.filter((one) => one.type !== "text").length > 1 ? "grid grid-cols-1 gap-3 sm:grid-cols-2" : "space-y-3"}>
            {files.map((file) => (
              <li key={file.id} className="min-w-0 overflow-hidden rounded-lg border bg-card">
                {file.type === "text" ? <Text file={file} /> : <Output file={file} />}
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

function Output({ file }: { file: OutputFile }) {
  const kind = (SHOWN.has(file.type) ? file.type : "file") as OutputKind;
  const { src } = useContent(kind === "file" ? null : file.id);
  return <OutputFigure kind={kind} name={file.name} size={file.size} src={src} save={<Save file={file} />} />;
}

function Text({ file }: { file: OutputFile }) {
  const text = typeof file.value === "string" ? file.value : JSON.stringify(file.value, null, 1);
  return (
    <figure>
      <pre tabIndex={0} className="max-h-96 overflow-auto p-3 text-[0.84rem] break-words whitespace-pre-wrap outline-none focus-visible:ring-2 focus-visible:ring-ring">
        {text}
      </pre>
      <figcaption className="flex items-center gap-2 border-t px-3 py-1.5 text-[0.84rem]">
        <span className="min-w-0 flex-1 truncate" title={file.name}>
          {file.name}
        </span>
        <Save file={file} />
      </figcaption>
    </figure>
  );
}

function Save({ file }: { file: OutputFile }) {
  const key = useKey((state) => state.key);
  if (key === null) return <SaveLink href={contentUrl(file.id)} name={file.name} />;
  const save = async () => {
    const url = URL.createObjectURL(await fetchContent(file.id));
    const link = document.createElement("a");
    link.href = url;
    link.download = file.name;
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <Button variant="ghost" size="icon-sm" aria-label={`Save ${file.name}`} title="Save" onClick={() => void save()}>
      <Download className="text-muted-foreground" />
    </Button>
  );
}
