// @ts-check
// Other photos of the same skin, laid beside these.
import { parse } from "../pages.js";
import { tellCollected } from "./after.js";
import { showFaults } from "./problem.js";
import { albumOf } from "./view.js";

/** @typedef {import("./view.js").Shown} Shown */

/**
 * A button at each earlier or later bundle of the case, which opens it and lays it beside this one, the same views together.
 * A bundle in which anything is wrong is not laid beside: what is wrong is named.
 *
 * @param {HTMLElement} section with the buttons
 * @param {object} what
 * @param {import("./desk.js").Desk} what.desk
 * @param {Shown[]} what.album this bundle's
 * @param {import("./viewer.js").Viewer} what.viewer
 * @param {(words: string) => void} what.tell
 * @returns {() => void} forgets the photos that were laid beside
 */
export function offerComparing(section, { desk, album, viewer, tell }) {
  /** @type {Map<string, Shown[]>} by the address of their page */
  const others = new Map();
  let ended = false;
  let busy = false;

  const openOther = async (/** @type {string} */ address, /** @type {string} */ day) => {
    const there = others.get(address);
    if (there) return there;
    const place = await pageOf(address);
    const { order = "null", sensitive = "" } = place?.dataset ?? {};
    const { answer, fault } = place
      ? await desk.open(JSON.parse(order), undefined, ({ words }) => tell(`Photos of ${day}: ${words}`))
      : {
          answer: undefined,
          fault: { code: "server", sentence: "The page could not be fetched.", part: "" },
        };
    if (ended) return null;
    const faults = fault ? [fault] : (answer?.faults ?? []);
    tell("");
    showFaults(faults.map((one) => ({ ...one, sentence: `Photos of ${day}: ${one.sentence}` })));
    if (!place || !answer || faults.length > 0) return null;
    tellCollected(place);
    const other = albumOf(answer, { veiled: sensitive === "true", look: () => {} });
    others.set(address, other);
    return other;
  };

  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (
    section.querySelectorAll("[data-do=compare]")
  )) {
    button.addEventListener("click", async () => {
      if (busy) return;
      busy = true;
      const { address = "", day = "" } = button.dataset;
      const other = await openOther(address, day);
      busy = false;
      if (other && !ended) viewer.look(album, album[0], { album: other, day });
    });
  }
  return () => {
    ended = true;
    for (const { url } of [...others.values()].flat()) URL.revokeObjectURL(url);
    others.clear();
  };
}

/**
 * @param {string} address
 * @returns {Promise<HTMLElement | null>} what a bundle's page says to its script
 */
async function pageOf(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
  return answer?.ok ? parse(await answer.text()).querySelector("#open") : null;
}
