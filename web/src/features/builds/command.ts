import type { OperationEntry } from "@/api/schema";

function quote(word: string): string {
  return /^[A-Za-z0-9_./@:=,+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

/** The command line that does what an operation did. Of a workflow that was never built, its folder is in the data folder. */
export function commandOf(operation: Pick<OperationEntry, "kind" | "arguments">): string {
  const given = operation.arguments;
  const workflow = String(given["workflow"] ?? "");
  const words = ["pycomfy", ...operation.kind.split("-")];
  if (operation.kind === "build" || operation.kind === "lock") words.push(`workflows/${workflow}`);
  else words.push(workflow);
  for (const [name, option] of [["packs", "--pack"], ["prefer", "--prefer"], ["update", "--update"]] as const) {
    for (const value of list(given[name])) words.push(option, value);
  }
  if (typeof given["message"] === "string" && given["message"] !== "") words.push("--message", given["message"]);
  if (typeof given["platform"] === "string") words.push("--platform", given["platform"]);
  if (given["locked"] === true) words.push("--locked");
  if (given["offline"] === true) words.push("--offline");
  for (const [name, value] of Object.entries((given["inputs"] ?? {}) as Record<string, unknown>)) {
    words.push("-i", `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  }
  if (typeof given["gpus"] === "string") words.push("--gpus", given["gpus"]);
  return words.map(quote).join(" ");
}
