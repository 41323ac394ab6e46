// @ts-check
import { Fault } from "../open/fault.js";
import { find } from "../open/view.js";
import { busy, send, turn } from "./form.js";
import { makeKey } from "./identity_file.js";
import { drawCode } from "./qr.js";
import { sheetWords } from "./sheet.js";
import { wordsOf } from "./words.js";

/**
 * Make the recovery key in this page and show it as a sheet to print. Only its public half is sent.
 *
 * @param {HTMLFormElement} form
 */
export function wireSheet(form) {
  let recipient = "";
  find("[data-start]", form).addEventListener("click", () =>
    busy(form, "Making the sheet", async () => {
      const key = await makeKey();
      recipient = key.recipient;
      find("[data-groups]", form).append(...sheetWords(key.secret).map(item));
      find("[data-secret]", form).textContent = key.secret;
      find("[data-qr]", form).append(drawCode(key.secret));
      find("[data-words]", form).textContent = wordsOf(key.fingerprint);
      turn(form);
    }),
  );
  find("[data-print]", form).addEventListener("click", () => print());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(form, "", async () => {
      if (!find("[data-printed]", form).checked)
        throw new Fault("printed", "Print the sheet and look at it, then tick the box.");
      send(form, { recipient });
    });
  });
}

/** @param {string} word */
function item(word) {
  const element = document.createElement("li");
  element.textContent = word;
  return element;
}
