// @ts-check
// The check page sends everything once the photos have arrived: pressed before, it says so and waits.

/** @import { Outbox } from "./outbox.js" */

/** What was typed and pressed when the page was drawn anew under the patient's hands; nothing once another page came. */
let left = { note: "", pressed: false };

/**
 * @param {HTMLElement} main
 * @param {Outbox} outbox
 * @param {string} sentence - that it waits
 * @returns {(() => void) | undefined} what ends it
 */
export function mountCheck(main, outbox, sentence) {
  const before = left;
  left = { note: "", pressed: false };
  const form = main.querySelector(`form[action="${outbox.facts.check}"]`);
  if (!(form instanceof HTMLFormElement)) {
    return undefined;
  }
  let here = true;
  let held = false;
  const note = form.querySelector("textarea");
  const told = document.createElement("p");
  told.setAttribute("role", "status");
  form.append(told);
  if (note && before.note) {
    note.value = before.note;
  }
  async function hold() {
    held = true;
    told.textContent = sentence;
    await outbox.waitUntilEmpty();
    if (!here) {
      return; // the page that took this one's place holds on
    }
    held = false;
    told.textContent = "";
    if (outbox.refusals) {
      document.getElementById("sending")?.scrollIntoView(); // it says which photo, and why
    } else {
      HTMLFormElement.prototype.submit.call(form);
    }
  }
  form.addEventListener("submit", (event) => {
    if (held || !outbox.empty) {
      event.preventDefault();
    }
    if (!held && !outbox.empty) {
      hold();
    }
  });
  if (before.pressed) {
    hold();
  }
  return () => {
    here = false;
    left = { note: note?.value ?? "", pressed: held };
  };
}
