// @ts-check
import { offerAttaching, tellCollected } from "./after.js";
import { offerComparing } from "./case.js";
import { offerCopying } from "./copying.js";
import { sheets } from "./facts.js";
import { writeFhir } from "./fhir.js";
import { fhirName, pdfName } from "./names.js";
import { offerPasskeys } from "./passkey.js";
import { writePdf } from "./pdf.js";
import { showFaults } from "./problem.js";
import { offerSaving } from "./saving.js";
import { albumOf, find, show } from "./view.js";
import { makeViewer } from "./viewer.js";

/** @typedef {import("./desk.js").Answer} Answer */
/** @typedef {import("./desk.js").Desk} Desk */
/** @typedef {import("./keyring.js").Secret} Secret */

/**
 * The page of a bundle: opens it at once where the key is unlocked, and asks for the passphrase where it is not.
 *
 * @param {HTMLElement} root
 * @param {Desk} desk
 * @returns {() => void} ends it, and forgets its photos
 */
export function mountOpening(root, desk) {
  const order = JSON.parse(root.dataset.order ?? "");
  const heading = find("#open-heading", root);
  const asItWas = heading.textContent;
  const passphrase = /** @type {HTMLInputElement} */ (find("#passphrase", root));
  const opened = find("#opened", root);
  const viewer = makeViewer(find("#viewer"));
  let forget = () => {};

  const display = (/** @type {"form" | "progress" | "opened"} */ which) => {
    find("#open-form", root).hidden = which !== "form";
    find("#open-progress", root).hidden = which !== "progress";
    opened.hidden = which !== "opened";
    find("#open-about", root).hidden = which === "opened";
    find("#open-case", root).hidden = which === "opened";
    if (which !== "opened") heading.textContent = asItWas;
  };

  const open = async (/** @type {Secret | undefined} */ secret) => {
    showFaults([]);
    find("#open-locked", root).replaceChildren();
    passphrase.value = "";
    display("progress");
    const { answer, fault } = await desk.open(order, secret, (step) => tellProgress(root, step));
    if (answer) return finish(answer);
    if (!fault) return; // locked or left meanwhile
    display("form");
    showFaults([fault]);
  };

  const finish = (/** @type {Answer} */ answer) => {
    const look = (/** @type {import("./view.js").Shown} */ shown) => viewer.look(album, shown);
    const album = albumOf(answer, { veiled: root.dataset.sensitive === "true", look });
    const forgetPhotos = show(answer, album, opened);
    const tell = (/** @type {string} */ words) => {
      find("[data-field=note]", opened).textContent = words;
    };
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
    offerCopying(album, tell);
    const forgetOthers = offerComparing(opened, { desk, album, viewer, tell });
    forget = () => {
      viewer.close();
      stopSaving();
      forgetPhotos();
      forgetOthers();
      forget = () => {};
    };
    display("opened");
    heading.textContent = `Photos of ${answer.request.label || "a patient"}`;
    showFaults(answer.faults);
    if (answer.faults.length > 0) return;
    heading.focus();
    tellCollected(root).then((told) => {
      if (told) root.querySelector("[data-do=attach]")?.removeAttribute("hidden");
      else if (!opened.hidden)
        tell("The inbox could not be told that you opened these photos, so they stay listed as waiting.");
    });
  };

  find("#open-form", root).addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    const sentence = "Enter your practice’s passphrase";
    if (passphrase.value.trim() === "") showFaults([{ code: "passphrase", sentence, part: "" }]);
    else open({ passphrase: passphrase.value });
  });
  const { identities } = /** @type {import("./bundle.js").Order} */ (order);
  offerPasskeys(
    root,
    identities.flatMap(({ passkeys = [] }) => passkeys),
    open,
  );
  offerAttaching(root);
  desk.whenLocked = () => {
    const wasOpen = !opened.hidden;
    forget();
    passphrase.value = "";
    display("form");
    showFaults([]);
    if (wasOpen) tellLocked(root);
  };
  find("#open-manual", root).hidden = true;
  find("#open-otherwise", root).hidden = false;
  if (desk.unlocked) open(undefined);
  else {
    display("form");
    passphrase.focus();
  }
  return () => {
    desk.whenLocked = () => {};
    desk.drop();
    forget();
  };
}

/**
 * @param {HTMLElement} root
 * @param {import("./desk.js").Step} step
 */
function tellProgress(root, { words, done, total }) {
  find("#open-words", root).textContent = words;
  const bar = find("#open-bar", root);
  if (total) bar.value = (done ?? 0) / total;
  else bar.removeAttribute("value");
}

/** @param {HTMLElement} root */
function tellLocked(root) {
  const words = document.createElement("p");
  words.className = "nhsuk-inset-text";
  words.textContent = "Locked. This page has forgotten the photos and the key.";
  find("#open-locked", root).replaceChildren(words);
  find("#passphrase", root).focus();
}
