// @ts-check
import { toPng } from "./picture.js";
import { find } from "./view.js";

/** @typedef {import("./view.js").Shown} Shown */

/**
 * A button at each photo that copies it, where the browser lets a page copy pictures.
 *
 * @param {Shown[]} album
 * @param {(words: string) => void} tell
 */
export function offerCopying(album, tell) {
  if (typeof ClipboardItem === "undefined" || !navigator.clipboard?.write) return;
  for (const { card, number, blob } of album) {
    const button = find("[data-do=copy]", card);
    button.hidden = false;
    button.textContent = `Copy photo ${number}`;
    button.addEventListener("click", async () => {
      try {
        // The promise itself goes in: Safari wants the call within the press.
        await navigator.clipboard.write([new ClipboardItem({ "image/png": toPng(blob) })]);
        tell(
          `Photo ${number} is copied. Paste it, then copy something else, so that it does not stay behind.`,
        );
      } catch {
        tell(`This browser did not let photo ${number} be copied. Save it instead.`);
      }
    });
  }
}
