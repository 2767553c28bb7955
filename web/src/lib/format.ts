const UNITS = ["B", "kB", "MB"];

/** A number of bytes for people: 4.30 GB. Units are decimal, as in the command line. */
export function formatSize(bytes: number): string {
  let amount = bytes;
  for (const unit of UNITS) {
    if (amount < 1000) return `${amount.toFixed(0)} ${unit}`;
    amount /= 1000;
  }
  return amount < 10 ? `${amount.toFixed(2)} GB` : `${amount.toFixed(1)} GB`;
}

/** A time for people: 4.3 s, or 2 min 5 s. */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" });
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

/** How long ago it was: "5 min. ago". */
export function formatAgo(time: string, now: number = Date.now()): string {
  const seconds = (Date.parse(time) - now) / 1000;
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return RELATIVE.format(Math.trunc(seconds / length), unit);
  }
  return "just now";
}

/** A point in time, in the reader's zone, to the minute. */
export function formatTime(time: string): string {
  const date = new Date(time);
  return date.toLocaleString("sv-SE", { dateStyle: "short", timeStyle: "short" });
}

/** The first digits of a digest, as they are shown in tables. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}

export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
