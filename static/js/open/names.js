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
  return `${stem(request)}_${slug(entry.view)}_${number}of${total}.jpg`;
}

/**
 * The name of the PDF with so many of the photos, such as `2026-11-22_left-forearm_3-photos.pdf`.
 *
 * @param {{site: string, side: string, submitted_at: string}} request
 * @param {number} count
 */
export function pdfName(request, count) {
  return `${stem(request)}_${count}-photo${count === 1 ? "" : "s"}.pdf`;
}

/**
 * The name of the FHIR file with so many of the photos, such as `2026-11-22_left-forearm_3-photos.fhir.json`.
 *
 * @param {{site: string, side: string, submitted_at: string}} request
 * @param {number} count
 */
export function fhirName(request, count) {
  return pdfName(request, count).replace(/pdf$/, "fhir.json");
}

/** @param {{site: string, side: string, submitted_at: string}} request */
const stem = ({ submitted_at: sent, side, site }) => `${sent.slice(0, 10)}_${slug(`${side} ${site}`)}`;

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
