// @ts-check
// What script adds to the staff pages: copying, printing, and what staff/*.js does.
import { Button, ErrorSummary, PasswordInput, Radios, SkipLink } from "nhsuk-frontend";
import { wireAsking } from "./staff/ask.js";
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
wireAsking();

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
