// @ts-check
// The pages about keys: identities are made, sealed, printed and tried here, and never leave the page but sealed.
import { wireMaking } from "./keys/making.js";
import { wirePasskeys } from "./keys/passkeys.js";
import { wireSheet } from "./keys/printing.js";
import { wireProof } from "./keys/proving.js";

/** @type {[string, (form: HTMLFormElement) => void][]} */
const FORMS = [
  ["form[data-make]", wireMaking],
  ["form[data-sheet]", wireSheet],
  ["form[data-prove]", wireProof],
  ["form[data-unlocker]", wirePasskeys],
];
for (const [selector, wire] of FORMS) {
  for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll(selector))) {
    form.hidden = false;
    wire(form);
  }
}
for (const note of document.querySelectorAll("[data-no-script]")) note.remove();
