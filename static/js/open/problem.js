// @ts-check
import { find } from "./view.js";

/** @typedef {import("./fault.js").FaultReport} FaultReport */

const HARMLESS = new Set([
  "passphrase",
  "another-key",
  "passkey",
  "connection",
  "signed-out",
  "server",
  "version",
  "page",
]);

/**
 * Name what is wrong in an error summary, and at the passphrase where it is about that. An empty list takes both away.
 *
 * @param {FaultReport[]} faults
 */
export function showFaults(faults) {
  document.title = `${faults.length > 0 ? "Error: " : ""}${document.title.replace(/^Error: /, "")}`;
  const wrong = faults.find(({ code }) => code === "passphrase" || code === "another-key");
  showAtPassphrase(wrong?.sentence);
  const place = find("#open-problem");
  place.replaceChildren();
  if (faults.length === 0) return;
  const summary = make("div", "nhsuk-error-summary");
  summary.tabIndex = -1;
  const alert = make("div", "");
  alert.setAttribute("role", "alert");
  const list = make("ul", "nhsuk-list nhsuk-error-summary__list");
  list.append(...faults.map(line));
  const body = make("div", "nhsuk-error-summary__body");
  body.append(list);
  const spoilt = !faults.every((fault) => HARMLESS.has(fault.code));
  if (spoilt) body.append(make("p", "", "Tell the people who run this service, and give them the receipt."));
  const heading = spoilt ? "Not everything is as it was sent" : "There is a problem";
  alert.append(make("h2", "nhsuk-error-summary__heading", heading), body);
  summary.append(alert);
  place.append(summary);
  summary.focus();
}

/** @param {FaultReport} fault */
function line({ code, sentence }) {
  const item = make("li", "");
  /** @type {Record<string, string | undefined>} */
  const targets = {
    passphrase: "#passphrase",
    "another-key": "#passphrase",
    "signed-out": find("#open").dataset.signIn,
  };
  const target = targets[code];
  if (target) {
    const link = document.createElement("a");
    link.href = target;
    link.textContent = sentence;
    item.append(link);
  } else item.textContent = sentence;
  return item;
}

/** @param {string} [sentence] */
function showAtPassphrase(sentence) {
  find("#open-group").classList.toggle("nhsuk-form-group--error", Boolean(sentence));
  const input = find("#passphrase");
  input.classList.toggle("nhsuk-input--error", Boolean(sentence));
  input.setAttribute("aria-describedby", sentence ? "passphrase-hint passphrase-error" : "passphrase-hint");
  const place = find("#passphrase-error");
  place.replaceChildren();
  if (!sentence) return;
  const message = make("span", "nhsuk-error-message");
  message.append(make("span", "nhsuk-u-visually-hidden", "Error: "), sentence);
  place.append(message);
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} [text]
 */
function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
