import type { OperationRequest } from "@/api/queries";
import type { Session, WorkflowEntry } from "@/api/schema";
import { isEnough, roleOf } from "@/lib/roles";
import type { Theme } from "@/lib/theme";

/** What an entry does: it goes to a page, starts an operation, chooses colours, or adds the example. */
export type Deed = { go: string } | { start: OperationRequest } | { theme: Theme } | { add: "example" };

export type Entry = { id: string; group: string; title: string; words: string[]; deed: Deed };

/** Workflows that are offered: more would not be read, and typing would slow down. */
export const MAX_WORKFLOWS = 200;

const TABS: [string, string, string[]][] = [
  ["graph", "Graph", ["nodes", "edit", "values"]],
  ["needs", "Needs", ["packs", "packages", "models", "lock"]],
  ["versions", "Versions", ["compare", "restore", "verify", "tag", "branch", "revert", "merge", "history"]],
  ["builds", "Builds", ["log", "layers", "digest"]],
  ["api", "API", ["curl", "python", "typescript"]],
  ["run", "Run", ["inputs", "seed", "try"]],
];

const THEMES: [Theme, string][] = [
  ["light", "Light colours"],
  ["dark", "Dark colours"],
  ["system", "Colours as the system"],
];

/** How well an entry fits what is typed, from 0 for not at all to 1: its title comes before its other words. */
export function scoreOf(title: string, words: readonly string[], typed: string): number {
  const parts = typed.toLowerCase().split(/\s+/).filter((part) => part !== "");
  const name = title.toLowerCase();
  const others = words.join(" ").toLowerCase();
  const scores = parts.map((part) => {
    if (name === part) return 1;
    if (name.startsWith(part)) return 0.9;
    if (name.includes(part)) return /[a-z0-9]/.test(name[name.indexOf(part) - 1] ?? "") ? 0.6 : 0.8;
    return ` ${others}`.includes(` ${part}`) ? 0.4 : 0;
  });
  return scores.length === 0 ? 1 : Math.min(...scores);
}

/** The workflow that an address is about. */
export function workflowOf(path: string): string | null {
  const found = /^\/workflows\/([^/]+)/.exec(path)?.[1];
  return found === undefined ? null : decodeURIComponent(found);
}

/** Everything that somebody may do from anywhere: first what concerns the workflow that is shown. */
export function listEntries(workflows: readonly WorkflowEntry[], current: string | null, role: Session["role"] = "owner"): Entry[] {
  const shown = workflows.find((one) => one.name === current);
  const tabs = shown === undefined ? [] : TABS.map(([tab, title, words]): Entry => ({ id: `tab ${tab}`, group: shown.name, title, words, deed: { go: `/workflows/${shown.name}/${tab}` } }));
  const pages: Entry[] = [
    { id: "page workflows", group: "Pages", title: "Workflows", words: ["list", "home", "all"], deed: { go: "/" } },
    { id: "page system", group: "Pages", title: "System", words: ["doctor", "health", "disk"], deed: { go: "/system" } },
  ];
  const others = workflows.filter((one) => one !== shown).slice(0, MAX_WORKFLOWS);
  const all: Entry[] = [
    ...tabs,
    ...(shown === undefined ? [] : listDeeds(shown)),
    ...pages,
    ...others.map((one): Entry => ({ id: `workflow ${one.name}`, group: "Workflows", title: one.name, words: [one.state], deed: { go: `/workflows/${one.name}` } })),
    { id: "example", group: "Do", title: "Add the example", words: ["hello", "start"], deed: { add: "example" } },
    ...THEMES.map(([theme, title]): Entry => ({ id: `theme ${theme}`, group: "Do", title, words: ["theme", "colors", "appearance"], deed: { theme } })),
  ];
  return all.filter(({ deed }) => isEnough(role, "add" in deed ? "build" : "start" in deed ? roleOf(deed.start.kind) : "view"));
}

function listDeeds({ name, version, versions }: WorkflowEntry): Entry[] {
  const deed = (id: string, title: string, words: string[], start: OperationRequest): Entry => ({ id: `do ${id}`, group: name, title, words, deed: { start } });
  return [
    deed("build", versions === 0 ? `Build ${name}` : `Build ${name} again`, ["image"], { kind: "build", workflow: name, message: "", locked: false }),
    deed("lock", `Pin what ${name} needs`, ["lock", "packages"], { kind: "lock", workflow: name, packs: [], prefer: [], update: [] }),
    deed("models", `Fetch the models of ${name}`, ["pull", "download"], { kind: "models-pull", workflow: name }),
    ...(version === null
      ? []
      : [deed("run", `Run ${name} with its own values`, ["try"], { kind: "run", workflow: `${name}@${version}`, inputs: {} })]),
  ];
}
