// @ts-check

/** @typedef {import("./request.js").PhotoEntry} PhotoEntry */
/** @typedef {import("./request.js").Request} Request */

/** @type {Record<string, string>} what the quality check advises, by code */
const HINTS = {
  blur: "This photo may be blurred.",
  blurred: "This photo may be blurred.",
  dark: "This photo may be too dark.",
  bright: "This photo may be too bright.",
  small: "This photo may be too small.",
};

/**
 * As clocks go in the UK; a camera's own clock, which names no zone, is taken as it stands.
 *
 * @param {string} moment ISO 8601
 * @returns {string} 22 November 2026, 4:05pm
 */
export function when(moment) {
  const zoned = /(Z|[+-]\d\d:\d\d)$/.test(moment);
  const time = new Date(zoned ? moment : `${moment.slice(0, 19)}Z`);
  if (Number.isNaN(time.getTime())) return moment;
  const timeZone = zoned ? "Europe/London" : "UTC";
  const day = time.toLocaleDateString("en-GB", { timeZone, dateStyle: "long" });
  const clock = time.toLocaleTimeString("en-GB", {
    timeZone,
    hour: "numeric",
    minute: "2-digit",
    hour12: true,
  });
  return `${day}, ${clock.replace(/\s/g, "").replace(/^0:/, "12:").toLowerCase()}`;
}

/** @param {number} bytes */
export function size(bytes) {
  return bytes < 999_500 ? `${Math.max(1, Math.round(bytes / 1000))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/**
 * @param {{site: string, side: string}} request
 * @returns {string} Left forearm
 */
export function place({ site, side }) {
  const text = `${side} ${site.replaceAll("-", " ")}`.trim().toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {PhotoEntry} entry */
export function about({ width, height, size: bytes, taken_at: taken }) {
  const at = taken ? `taken ${when(taken)}` : "the phone did not say when it was taken";
  return `${width.toLocaleString("en-GB")} × ${height.toLocaleString("en-GB")} pixels, ${size(bytes)}, ${at}.`;
}

/** @param {PhotoEntry} entry */
export function removed({ removed: tags, lossless }) {
  const names = tags.map(({ name, count }) => (count > 1 ? `${name} (${count})` : name));
  const what =
    names.length > 0
      ? `Removed from the file: ${names.join(", ")}.`
      : "The file held nothing but the picture.";
  const how = lossless
    ? "The picture itself is exactly as it arrived."
    : "The picture was saved once more as a JPEG.";
  return `${what} ${how}`;
}

/** @param {PhotoEntry} entry */
export function told({ hints, sent_anyway: anyway }) {
  if (hints.length === 0) return "";
  const sentences = hints.map((code) => HINTS[code] ?? code);
  return `The patient was told: “${sentences.join(" ")}”${anyway ? " They sent it all the same." : ""}`;
}
