import { create } from "zustand";
import { createJSONStorage, persist } from "zustand/middleware";

/** A value that was changed and is not saved yet. `at` is its place among the node's values; `problem` says why it
 * cannot be saved, "" if it can. */
export type Edit = { graph: string; node: string; title: string; key: string; at: number; name: string; old: string; text: string; problem: string };

export type Edits = Record<string, Edit>;

/** Changes of a workflow since the state `base`. `touched` is the value that was changed last: what is typed into one
 * field is one step back. */
export type Draft = { base: string; edits: Edits; past: Edits[]; future: Edits[]; touched: string | null };

export const MAX_PAST = 100;

export function editKey(edit: Pick<Edit, "graph" | "node" | "key">): string {
  return JSON.stringify([edit.graph, edit.node, edit.key]);
}

/** The draft with one more change; a value that is as it was is none. */
export function addEdit(draft: Draft, edit: Edit): Draft {
  const key = editKey(edit);
  const { [key]: before, ...others } = draft.edits;
  if (before?.text === edit.text || (before === undefined && edit.text === edit.old)) return draft;
  return {
    base: draft.base,
    edits: edit.text === edit.old ? others : { ...draft.edits, [key]: edit },
    past: draft.touched === key ? draft.past : [...draft.past, draft.edits].slice(-MAX_PAST),
    future: [],
    touched: key,
  };
}

export function undo(draft: Draft): Draft {
  const edits = draft.past.at(-1);
  if (edits === undefined) return draft;
  return { ...draft, edits, past: draft.past.slice(0, -1), future: [draft.edits, ...draft.future], touched: null };
}

export function redo(draft: Draft): Draft {
  const [edits, ...future] = draft.future;
  if (edits === undefined) return draft;
  return { ...draft, edits, past: [...draft.past, draft.edits], future, touched: null };
}

const empty = (base: string): Draft => ({ base, edits: {}, past: [], future: [], touched: null });

type Drafts = {
  drafts: Record<string, Draft>;
  edit: (workflow: string, base: string, edit: Edit) => void;
  undo: (workflow: string) => void;
  redo: (workflow: string) => void;
  discard: (workflow: string) => void;
  /** Keep the changes for another state of the workflow. */
  rebase: (workflow: string, base: string) => void;
};

/** Changes that are not saved, by workflow; they outlive a reload of the page. */
export const useDrafts = create<Drafts>()(
  persist(
    (set) => {
      const change = (workflow: string, how: (draft: Draft) => Draft) =>
        set(({ drafts }) => {
          const draft = drafts[workflow];
          return draft === undefined ? {} : { drafts: { ...drafts, [workflow]: how(draft) } };
        });
      return {
        drafts: {},
        edit: (workflow, base, edit) => set(({ drafts }) => ({ drafts: { ...drafts, [workflow]: addEdit(drafts[workflow] ?? empty(base), edit) } })),
        undo: (workflow) => change(workflow, undo),
        redo: (workflow) => change(workflow, redo),
        rebase: (workflow, base) => change(workflow, (draft) => ({ ...empty(base), edits: draft.edits })),
        discard: (workflow) =>
          set(({ drafts }) => {
            const { [workflow]: _, ...others } = drafts;
            return { drafts: others };
          }),
      };
    },
    { name: "pycomfy-drafts", storage: createJSONStorage(() => window.sessionStorage), partialize: ({ drafts }) => ({ drafts }) },
  ),
);

export const NO_EDITS: Edits = {};
