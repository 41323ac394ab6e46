// NHS.UK frontend writes left and right; pages in Arabic and Urdu need start and end. Our own rules (`.app-…`) say what they mean already.

const SIDES = { left: "start", right: "end" };

/**
 * The same style with logical directions: `margin-left` becomes `margin-inline-start`, and so on. Colours of one border stay: they
 * draw arrows, and what turns or moves (`transform`) is put right by hand in static/css/_languages.scss.
 * @param {string} css - compressed
 */
export function toLogical(css) {
  return css.replace(/([^{}]+)\{([^{}]*)\}/g, (rule, selector, body) =>
    selector.includes(".app-")
      ? rule
      : `${selector}{${body
          .replace(
            /(^|;)((?:margin|padding|border)-)?(left|right)(-width)?:/g,
            (_, end, kind = "inset-", side, width = "") => `${end}${kind}inline-${SIDES[side]}${width}:`,
          )
          .replace(/(^|;)text-align:(left|right)/g, (_, end, side) => `${end}text-align:${SIDES[side]}`)}}`,
  );
}
