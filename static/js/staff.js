// @ts-check
// What script adds to the staff pages: copying, printing, and what staff/*.js does.
import { Button, ErrorSummary, PasswordInput, Radios, SkipLink } from "nhsuk-frontend";
import { wireAsking } from "./staff/ask.js";
import { wireInbox } from "./staff/inbox.js";
import { offerPasskeys } from "./staff/passkeys.js";

/** @type {[new (element: Element) => unknown, string][]} */
const COMPONENTS = [
  [Button, "nhsuk-button"],
  [ErrorSummary, "nhsuk-error-summary"],
  [PasswordInput, "nhsuk-password-input"],
  [Radios, "nhsuk-radios"],
  [SkipLink, "nhsuk-skip-link"],
];
start(document);
document.addEventListener("swapped", () => start(document.querySelector("main") ?? document)); // see open/rounds.js

/** @param {ParentNode} scope */
function start(scope) {
  for (const [Component, name] of COMPONENTS) {
    for (const element of scope.querySelectorAll(`[data-module="${name}"]`)) new Component(element);
  }
  offerPasskeys();
  wireAsking();
  wireInbox();
  offer(scope, "[data-copy]", copy);
  offer(scope, "[data-print]", () => print());
}

/**
 * @param {ParentNode} scope
 * @param {string} selector of buttons that are of use with script only
 * @param {(button: HTMLButtonElement) => void} press
 */
function offer(scope, selector, press) {
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (scope.querySelectorAll(selector))) {
    button.hidden = false;
    button.addEventListener("click", () => press(button));
  }
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
