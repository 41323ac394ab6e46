// @ts-check
// What script adds to the staff pages: copying, printing, the side of the body only where there is one, the receipt of the last
// photos only for a follow-up.
import { Button, ErrorSummary, PasswordInput, Radios, SkipLink } from "nhsuk-frontend";
import { offerPasskeys } from "./staff/passkeys.js";

/** @type {[new (element: Element) => unknown, string][]} */
const COMPONENTS = [
  [Button, "nhsuk-button"],
  [ErrorSummary, "nhsuk-error-summary"],
  [PasswordInput, "nhsuk-password-input"],
  [Radios, "nhsuk-radios"],
  [SkipLink, "nhsuk-skip-link"],
];
for (const [Component, name] of COMPONENTS) {
  for (const element of document.querySelectorAll(`[data-module="${name}"]`)) new Component(element);
}
offerPasskeys();

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (
  document.querySelectorAll("[data-copy]")
)) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (
  document.querySelectorAll("[data-print]")
)) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

const site = /** @type {HTMLSelectElement | null} */ (document.querySelector("select#site"));
const side = /** @type {HTMLElement | null} */ (document.querySelector("[data-side]"));
if (site && side) {
  const fit = () => fitSide(site, side);
  site.addEventListener("change", fit);
  fit();
}

const receipt = /** @type {HTMLElement | null} */ (document.querySelector("[data-receipt]"));
const follows = /** @type {HTMLInputElement | null} */ (document.querySelector("[data-follows=yes]"));
if (receipt && follows) {
  const fit = () => {
    receipt.hidden = !follows.checked;
  };
  follows.form?.addEventListener("change", fit);
  fit();
}

/** @param {HTMLButtonElement} button */
async function copy(button) {
  const field = /** @type {HTMLInputElement} */ (document.getElementById(button.dataset.copy ?? ""));
  const words = button.textContent;
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl and C";
    field.focus();
  }
  const status = document.getElementById("copied");
  if (status) status.textContent = button.textContent;
  setTimeout(() => {
    button.textContent = words;
  }, 4000);
}

/**
 * The back and the nose have no side: ask for it only where the part of the body has one.
 *
 * @param {HTMLSelectElement} select
 * @param {HTMLElement} group
 */
function fitSide(select, group) {
  const hasSides = select.selectedOptions[0]?.dataset.sides === "yes";
  group.hidden = !hasSides;
  const none = /** @type {HTMLInputElement} */ (group.querySelector('input[value=""]'));
  const choice = /** @type {HTMLInputElement | null} */ (group.querySelector("input:checked"));
  none.closest(".nhsuk-radios__item")?.toggleAttribute("hidden", hasSides);
  if (!hasSides) none.checked = true;
  else if (choice === none) none.checked = false;
}
