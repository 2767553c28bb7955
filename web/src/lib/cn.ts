import { type ClassValue, clsx } from "clsx";
import { twMerge } from "tailwind-merge";

/** Join classes; of two that set the same thing the later one wins. */
export function cn(...inputs: ClassValue[]): string {
  return twMerge(clsx(inputs));
}
