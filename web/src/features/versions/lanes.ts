export type Commit = { commit: string; parents: readonly string[] };

/** How a row of the history is drawn: its dot is in `lane`, with a line `above` and `below`. Lines go `through` other
 * lanes; those of `joins` come from above and end in the dot, those of `forks` begin in it and go on below. */
export type LaneRow = { lane: number; above: boolean; below: boolean; through: number[]; joins: number[]; forks: number[] };

/** Lanes for commits, newest first, none before one that follows it. The commit `first` and what it grew from are in the
 * leftmost one. */
export function layLanes(commits: readonly Commit[], first: string | null): { rows: LaneRow[]; width: number } {
  // What each lane waits for; one that waits and has not begun is kept free.
  const waits: (string | null)[] = first === null ? [] : [first];
  const begun: boolean[] = [];
  const free = () => {
    const at = waits.indexOf(null);
    return at < 0 ? waits.length : at;
  };
  const rows = commits.map(({ commit, parents }): LaneRow => {
    const waiting = waits.flatMap((one, at) => (one === commit ? [at] : []));
    const lane = waiting[0] ?? free();
    const above = begun[lane] === true && waits[lane] === commit;
    const joins = waiting.filter((at) => at !== lane && begun[at] === true);
    for (const at of waiting) waits[at] = null;
    const [before, ...others] = parents;
    waits[lane] = before ?? null;
    begun[lane] = before !== undefined;
    const through = waits.flatMap((one, at) => (one !== null && at !== lane && begun[at] === true ? [at] : []));
    const forks = others.map((parent) => {
      const known = waits.findIndex((one, at) => one === parent && at !== lane && begun[at] === true);
      const at = known < 0 ? free() : known;
      waits[at] = parent;
      begun[at] = true;
      return at;
    });
    return { lane, above, below: before !== undefined, through, joins, forks };
  });
  const used = rows.flatMap((row) => [row.lane, ...row.through, ...row.forks]);
  return { rows, width: Math.max(0, ...used) + 1 };
}
