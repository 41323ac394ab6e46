// @ts-check

/**
 * The name a photo is saved under, such as `2026-11-22_left-forearm_close-up_2of3.jpg`, the same that `capture open` gives it. It
 * holds nothing about who the patient is, and only letters that every system takes in a name.
 *
 * @param {{site: string, side: string, submitted_at: string}} request
 * @param {{view: string}} entry
 * @param {number} number from 1
 * @param {number} total
 */
export function fileName(request, entry, number, total) {
  const words = [
    request.submitted_at.slice(0, 10),
    slug(`${request.side} ${request.site}`),
    slug(entry.view),
  ];
  return `${words.join("_")}_${number}of${total}.jpg`;
}

/** @param {string} text */
function slug(text) {
  const plain = text
    .normalize("NFKD")
    .replace(/[^ -~]/g, "")
    .toLowerCase();
  return (
    plain
      .replace(/[^a-z0-9]+/g, "-")
      .slice(0, 60)
      .replace(/^-|-$/g, "") || "photo"
  );
}
