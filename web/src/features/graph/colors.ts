/** The colours that ComfyUI's editor gives to links, by type: people know the types by them. */
const KNOWN: Record<string, string> = {
  CLIP: "#FFD500",
  CLIP_VISION: "#A8DADC",
  CLIP_VISION_OUTPUT: "#AD7452",
  CONDITIONING: "#FFA931",
  CONTROL_NET: "#6EE7B7",
  GUIDER: "#66FFFF",
  IMAGE: "#64B5F6",
  LATENT: "#FF9CF9",
  MASK: "#81C784",
  MODEL: "#B39DDB",
  NOISE: "#B0B0B0",
  SAMPLER: "#ECB4B4",
  SIGMAS: "#CDFFCD",
  STYLE_MODEL: "#C2FFAE",
  TAESD: "#DCC274",
  VAE: "#FF6E6E",
};

/** A type's colour; one that the editor has none for gets one by its name, always the same. */
export function typeColor(type: string): string {
  const known = KNOWN[type.toUpperCase()];
  if (known !== undefined) return known;
  if (type === "*" || type === "") return "#9A9A9A";
  let hash = 0;
  for (const letter of type) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return `hsl(${hash % 360} 45% 62%)`;
}
