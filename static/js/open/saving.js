// @ts-check
import { writeNew } from "./folder.js";
import { startPacker } from "./packer.js";
import { find } from "./view.js";
import { size } from "./words.js";

/** @typedef {import("./packer.js").Preset} Preset */
/** @typedef {import("./view.js").Shown} Shown */
/** @typedef {{name: string, blob: Blob}} Named */

const PAUSE_BETWEEN_SAVES = 400; // Browsers drop downloads that start at once.
const GONE_AFTER = 60_000; // by then a download has taken its bytes
const picker = /** @type {any} */ (globalThis).showDirectoryPicker;

/**
 * The bar that saves: for which system, and where to.
 *
 * @param {HTMLElement} bar
 * @param {Shown[]} album
 * @param {object} what
 * @param {Preset[]} what.presets
 * @param {string} what.workerUrl
 * @param {(chosen: Shown[]) => Promise<Named>} what.makePdf
 * @param {(chosen: Shown[]) => Promise<Named>} what.makeFhir
 * @returns {() => void} stops what is going on
 */
export function offerSaving(bar, album, { presets, workerUrl, makePdf, makeFhir }) {
  const select = find("[data-do=preset]", bar);
  select.append(...presets.map(({ title, name }) => new Option(title, name)));
  const preset = () => presets[select.selectedIndex];
  const packer = startPacker(workerUrl);
  let [busy, ended] = [false, false];
  const tell = (/** @type {string} */ words) => {
    find("[data-field=note]", bar).textContent = words;
  };

  /** @param {() => Promise<(files: Named[]) => Promise<string>>} choosePlace gives what saves the files and says where they are */
  const save = async (choosePlace) => {
    const chosen = ticked(album);
    const refused = whyNot(chosen.length, preset());
    if (busy || refused) return refused && tell(refused);
    busy = true;
    try {
      const put = await choosePlace();
      const files = await packAll(chosen, preset(), packer, tell);
      tell("Saving. If your browser asks, let this page save several files.");
      const where = ended ? "" : await put(files);
      if (!ended) {
        tell(whatWasSaved(files, chosen, where));
        leadToAttaching(bar);
      }
    } catch (error) {
      if (!ended) tell(whatWentWrong(error));
    }
    busy = false;
  };

  /**
   * @param {(chosen: Shown[]) => Promise<Named>} make
   * @param {string} what
   * @param {(file: Named) => string} next what to do with it
   */
  const saveAsOne = async (make, what, next) => {
    const chosen = ticked(album);
    const refused = whyNot(chosen.length, { ...preset(), files: 0 });
    if (busy || refused) return refused && tell(refused);
    busy = true;
    try {
      const file = await make(chosen);
      if (!ended) {
        startDownload(file);
        tell(`Saved one ${what} to your downloads, ${size(file.blob.size)}. ${next(file)}`);
        leadToAttaching(bar);
      }
    } catch (error) {
      if (!ended) tell(whatWentWrong(error));
    }
    busy = false;
  };
  const savePdf = () =>
    saveAsOne(makePdf, "PDF", ({ blob }) => {
      const large = `This is more than ${nameOf(preset())} takes: save the photos instead. `;
      return `${blob.size < preset().under ? "" : large}Attach it, then delete it from there.`;
    });
  const saveFhir = () =>
    saveAsOne(makeFhir, "FHIR file", () => "Import it into the record system, then delete it from there.");

  const tickAsMany = () => {
    const { files } = preset();
    for (const [index, { card }] of album.entries())
      find("[data-field=tick]", card).checked = !files || index < files;
    tell(
      files && album.length > files
        ? `${tooMany(preset())} The first ${files} are ticked: change that below.`
        : "",
    );
  };
  select.addEventListener("change", tickAsMany);
  tickAsMany();
  find("[data-do=save]", bar).addEventListener("click", () => save(async () => download(() => ended)));
  find("[data-do=pdf]", bar).addEventListener("click", savePdf);
  find("[data-do=fhir]", bar).addEventListener("click", saveFhir);
  const folder = find("[data-do=folder]", bar);
  folder.hidden = !picker;
  folder.addEventListener("click", () => save(chooseFolder));
  return () => {
    ended = true;
    packer.end();
  };
}

/**
 * Once something was saved, "Attached to the referral" is the next step and looks like it.
 *
 * @param {HTMLElement} bar
 */
const leadToAttaching = (bar) =>
  bar.querySelector("[data-do=attach]")?.classList.remove("nhsuk-button--secondary");

/** @param {Shown[]} album */
const ticked = (album) => album.filter(({ card }) => find("[data-field=tick]", card).checked);

/** @param {Preset} preset */
const nameOf = ({ title }) => title.replace(/ \(.*/, "");

/** @param {Preset} preset */
const tooMany = (preset) => `${nameOf(preset)} takes ${preset.files} photos at most.`;

/**
 * @param {number} count
 * @param {Preset} preset
 */
function whyNot(count, preset) {
  if (count === 0) return "No photo is ticked. Tick those that go with the referral.";
  return preset.files && count > preset.files ? `${tooMany(preset)} ${count} are ticked.` : "";
}

/**
 * @param {Shown[]} chosen
 * @param {Preset} preset
 * @param {import("./packer.js").Packer} packer
 * @param {(words: string) => void} tell
 * @returns {Promise<Named[]>}
 */
async function packAll(chosen, { under }, packer, tell) {
  const files = [];
  for (const { blob, name, number } of chosen) {
    if (blob.size >= under) tell(`Making photo ${number} fit`);
    try {
      files.push({ name, blob: await packer.pack(blob, under) });
    } catch {
      throw new RangeError(
        `Photo ${number} could not be made to fit in this browser, so nothing was saved. Use the capture open command.`,
      );
    }
  }
  return files;
}

/** @param {() => boolean} ended */
function download(ended) {
  return async (/** @type {Named[]} */ files) => {
    for (const file of files) {
      if (ended()) break;
      startDownload(file);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_BETWEEN_SAVES));
    }
    return "to your downloads";
  };
}

/** @param {Named} file */
function startDownload({ name, blob }) {
  const href = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), GONE_AFTER);
}

async function chooseFolder() {
  const folder = await picker.call(globalThis, { mode: "readwrite", id: "referral" });
  return async (/** @type {Named[]} */ files) => {
    for (const { name, blob } of files) await writeNew(folder, name, blob);
    return `in ${folder.name || "the folder"}`;
  };
}

/**
 * @param {Named[]} files
 * @param {Shown[]} chosen
 * @param {string} where
 */
function whatWasSaved(files, chosen, where) {
  const smaller = files.filter(({ blob }, index) => blob !== chosen[index].blob).length;
  const count = files.length === 1 ? "1 photo" : `${files.length} photos`;
  const how = smaller ? `${smaller} made smaller to fit` : "as sent";
  const largest = size(Math.max(...files.map(({ blob }) => blob.size)));
  return `Saved ${count} ${where}, ${how}, ${largest} at most. Attach them, then delete them from there.`;
}

/** @param {unknown} error */
function whatWentWrong(error) {
  if (error instanceof RangeError) return error.message;
  if (error instanceof DOMException && error.name === "AbortError")
    return "No folder was chosen, so nothing was saved.";
  return "The photos could not be saved there. Choose another folder, or save them to your downloads.";
}
