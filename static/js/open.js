// @ts-check
// The opening page: passphrase in, photos on the screen, nothing kept. The worker does the opening.
import { offerCopying } from "./open/copying.js";
import { sheets } from "./open/facts.js";
import { writeFhir } from "./open/fhir.js";
import { lockWhenIdle } from "./open/idle.js";
import { fhirName, pdfName } from "./open/names.js";
import { writePdf } from "./open/pdf.js";
import { showFaults } from "./open/problem.js";
import { offerSaving } from "./open/saving.js";
import { find, show } from "./open/view.js";
import { makeViewer } from "./open/viewer.js";

/** @typedef {import("./open/fault.js").FaultReport} FaultReport */
/** @typedef {import("./open-worker.js").Answer} Answer */

const MINUTE = 60_000;

const HEADING = find("#open-heading").textContent;
const root = find("#open");
const form = find("#open-form");
const passphrase = /** @type {HTMLInputElement} */ (find("#passphrase"));
const opened = find("#opened");
const locked = find("#open-locked");
const viewer = makeViewer(find("#viewer"));

/** @type {Worker | undefined} */
let worker;
/** @type {() => void} */
let forget = () => {};

form.addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  locked.replaceChildren();
  if (passphrase.value.trim() === "") {
    showFaults([{ code: "passphrase", sentence: "Enter your practice’s passphrase", part: "" }]);
    return;
  }
  showFaults([]);
  start(passphrase.value);
  passphrase.value = "";
});
addEventListener("pagehide", lock);
display("form");
find("#open-manual").hidden = true;
find("#open-otherwise").hidden = false;

/** @param {"form" | "progress" | "opened"} which one of the three is on the screen */
function display(which) {
  form.hidden = which !== "form";
  find("#open-progress").hidden = which !== "progress";
  opened.hidden = which !== "opened";
  find("#open-about").hidden = which === "opened";
  if (which !== "opened") find("#open-heading").textContent = HEADING;
}

/** @param {string} secret */
function start(secret) {
  display("progress");
  worker = new Worker(root.dataset.worker, { type: "module" });
  worker.onmessage = ({ data }) => {
    if (data.words) tellProgress(data);
    else finish(data.answer, data.fault);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    finish(undefined, {
      code: "page",
      sentence:
        "This browser could not start opening the photos. Use a current version of Edge, Chrome, Firefox or Safari.",
      part: "",
    });
  };
  worker.postMessage({ order: JSON.parse(root.dataset.order), passphrase: secret });
}

/** @param {{words: string, done?: number, total?: number}} progress */
function tellProgress({ words, done, total }) {
  find("#open-words").textContent = words;
  const bar = find("#open-bar");
  if (total) bar.value = (done ?? 0) / total;
  else bar.removeAttribute("value");
}

/**
 * @param {Answer | undefined} answer
 * @param {FaultReport | undefined} fault
 */
function finish(answer, fault) {
  worker?.terminate();
  worker = undefined;
  if (!answer) {
    display("form");
    showFaults(fault ? [fault] : []);
    return;
  }
  const veiled = root.dataset.sensitive === "true";
  const { album, forget: forgetPhotos } = show(answer, opened, {
    veiled,
    look: (shown) => viewer.look(album, shown),
  });
  const stopSaving = offerSaving(find(".app-bar", opened), album, {
    presets: JSON.parse(root.dataset.presets ?? "[]"),
    workerUrl: root.dataset.packer ?? "",
    makePdf: async (chosen) => ({
      name: pdfName(answer.request, chosen.length),
      blob: await writePdf(sheets(answer, chosen)),
    }),
    makeFhir: async (chosen) => ({
      name: fhirName(answer.request, chosen.length),
      blob: await writeFhir(answer.request, chosen),
    }),
  });
  offerCopying(album, (words) => {
    find("[data-field=note]", opened).textContent = words;
  });
  const stopWatching = lockWhenIdle({ limit: 15 * MINUTE, notice: MINUTE, warn: warnIdle, lock });
  forget = () => {
    stopWatching();
    stopSaving();
    forgetPhotos();
  };
  find("[data-do=lock]", opened).addEventListener("click", lock);
  display("opened");
  find("#open-heading").textContent = `Photos of ${answer.request.label || "a patient"}`;
  showFaults(answer.faults);
  if (answer.faults.length > 0) return;
  find("#open-heading").focus();
  tellCollected();
}

function lock() {
  const wasOpen = !opened.hidden;
  worker?.terminate();
  worker = undefined;
  forget();
  forget = () => {};
  viewer.close();
  passphrase.value = "";
  display("form");
  showFaults([]);
  if (!wasOpen) return;
  const words = document.createElement("p");
  words.className = "nhsuk-inset-text";
  words.textContent = "Locked. This page has forgotten the photos and the passphrase.";
  locked.replaceChildren(words);
  passphrase.focus();
}

/** @param {boolean} soon */
function warnIdle(soon) {
  const warning = find("#open-idle");
  const large = find("#viewer");
  (large.open ? large : root).append(warning); // beside an open dialog nothing is seen or read out
  warning.textContent = soon
    ? "This page locks in one minute. Press a key or move the pointer to keep it open."
    : "";
}

async function tellCollected() {
  const body = new URLSearchParams({ csrf_token: root.dataset.csrf });
  const answer = await fetch(root.dataset.collected, { method: "POST", body, redirect: "manual" }).catch(
    () => null,
  );
  if (answer?.ok) return document.querySelector("#attached")?.removeAttribute("hidden");
  if (opened.hidden) return;
  find("[data-field=note]", opened).textContent =
    "The inbox could not be told that you opened these photos, so they stay listed as waiting.";
}
