import { encode } from "fast-png";

/** Pixels of a picture that is edited here. */
export const MAX_PIXELS = 40_000_000;

/** What a mask looks like: a colour that few pictures have. Only its alpha counts. */
export const MASK_COLOR: readonly [number, number, number] = [255, 0, 150];

/** The mask that a picture has already, in the alpha of its pixels: where it is transparent, it is masked. */
export function readMask(picture: Uint8ClampedArray): Uint8ClampedArray<ArrayBuffer> {
  const mask = new Uint8ClampedArray(picture.length);
  for (let at = 0; at < picture.length; at += 4) {
    mask.set(MASK_COLOR, at);
    mask[at + 3] = 255 - (picture[at + 3] as number);
  }
  return mask;
}

/** The picture's colours with the mask as ComfyUI's LoadImage reads it: alpha is what the mask leaves. Both are RGBA; the
 * mask is in the alpha of its own pixels. */
export function joinMask(picture: Uint8ClampedArray, mask: Uint8ClampedArray): Uint8Array {
  const joined = Uint8Array.from(picture);
  for (let at = 3; at < joined.length; at += 4) joined[at] = 255 - (mask[at] as number);
  return joined;
}

/** A PNG of RGBA pixels. A canvas would write black where a pixel is transparent: it keeps colours multiplied by alpha. */
export function makePng(data: Uint8Array, width: number, height: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(encode({ data, width, height, channels: 4, depth: 8 }));
}

/** The name of a picture with a mask: what is sent is always a PNG. */
export function nameMasked(name: string): string {
  return `${name.replace(/(-masked)?\.[^.]*$/, "")}-masked.png`;
}
