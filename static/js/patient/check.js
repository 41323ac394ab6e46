// @ts-check
// The check page sends everything once the photos have arrived: pressed before, it says so and waits.

/** @import { Outbox } from "./outbox.js" */

/**
 * @param {HTMLElement} main
 * @param {Outbox} outbox
 * @param {string} sentence - that it waits
 * @returns {(() => void) | undefined} what ends it
 */
export function mountCheck(main, outbox, sentence) {
  const form = main.querySelector(`form[action="${outbox.facts.check}"]`);
  if (!(form instanceof HTMLFormElement)) {
    return undefined;
  }
  let here = true;
  let held = false;
  const note = document.createElement("p");
  note.setAttribute("role", "status");
  form.append(note);
  form.addEventListener("submit", async (event) => {
    if (held || outbox.empty) {
      if (held) {
        event.preventDefault();
      }
      return;
    }
    event.preventDefault();
    held = true;
    note.textContent = sentence;
    await outbox.waitUntilEmpty();
    held = false;
    note.textContent = "";
    if (here && outbox.refusals) {
      document.getElementById("sending")?.scrollIntoView(); // it says which photo, and why
    } else if (here) {
      form.submit();
    }
  });
  return () => {
    here = false;
  };
}
