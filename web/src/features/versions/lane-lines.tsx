import type { LaneRow } from "./lanes";

/** Pixels of a lane, and from the top of a row to its dot. */
export const LANE = 16;
const DOT = 24;
const BEND = 30;

const COLORS = ["var(--info)", "var(--success)", "var(--warning)", "var(--destructive)", "var(--muted-foreground)"];

const x = (lane: number) => lane * LANE + LANE / 2;
const color = (lane: number) => COLORS[lane % COLORS.length];

/** The lines of the history beside a row, however high that is. */
export function LaneLines({ row, width, large }: { row: LaneRow; width: number; large: boolean }) {
  const { lane } = row;
  return (
    <svg className="absolute inset-y-0 left-0 h-full" width={width * LANE} aria-hidden fill="none" strokeWidth={2}>
      {row.through.map((one) => (
        <line key={one} x1={x(one)} x2={x(one)} y1="0" y2="100%" stroke={color(one)} />
      ))}
      {row.above && <line x1={x(lane)} x2={x(lane)} y1="0" y2={DOT} stroke={color(lane)} />}
      {row.below && <line x1={x(lane)} x2={x(lane)} y1={DOT} y2="100%" stroke={color(lane)} />}
      {row.joins.map((one) => (
        <path key={one} d={`M ${x(one)} 0 C ${x(one)} ${DOT * 0.7} ${x(lane)} ${DOT * 0.3} ${x(lane)} ${DOT}`} stroke={color(one)} />
      ))}
      {row.forks.map((one) => (
        <g key={one} stroke={color(one)}>
          <path d={`M ${x(lane)} ${DOT} C ${x(lane)} ${DOT + BEND * 0.7} ${x(one)} ${DOT + BEND * 0.3} ${x(one)} ${DOT + BEND}`} />
          <line x1={x(one)} x2={x(one)} y1={DOT + BEND} y2="100%" />
        </g>
      ))}
      <circle cx={x(lane)} cy={DOT} r={large ? 5 : 4} fill={large ? color(lane) : "var(--background)"} stroke={large ? "var(--background)" : color(lane)} />
    </svg>
  );
}
