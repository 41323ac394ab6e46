// @ts-check
import { Fault } from "../open/fault.js";
import { fetchBytes } from "../open/fetching.js";
import { MAX_JSON } from "../open/manifest.js";
import { find } from "../open/view.js";

/**
 * Do what a form is for while it says so, once at a time; what goes wrong is told at the form.
 *
 * @param {HTMLFormElement} form
 * @param {string} words what the page says meanwhile
 * @param {() => Promise<unknown>} work
 */
export async function busy(form, words, work) {
  if (form.hasAttribute("aria-busy")) return;
  const [problem, status] = [find("[data-problem]", form), find("[data-status]", form)];
  problem.textContent = "";
  status.textContent = words;
  form.setAttribute("aria-busy", "true");
  await new Promise((resolve) => setTimeout(resolve, 50)); // the words are drawn before scrypt holds the page
  try {
    await work();
  } catch (error) {
    problem.textContent =
      error instanceof Fault ? error.message : "This did not work. Reload the page and try again.";
  } finally {
    status.textContent = "";
    form.removeAttribute("aria-busy");
  }
}

/**
 * Send the form with these values in its hidden fields.
 *
 * @param {HTMLFormElement} form
 * @param {Record<string, string>} values
 */
export function send(form, values) {
  for (const [name, value] of Object.entries(values)) {
    /** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value = value;
  }
  form.submit();
}

/** Show the second half of a form in place of the first. @param {HTMLFormElement} form */
export function turn(form) {
  find("[data-first]", form).hidden = true;
  find("[data-second]", form).hidden = false;
  find("[data-heading]", form).focus();
}

/** @param {string} url */
export const fetchFile = (url) => fetchBytes(url, "The key file", MAX_JSON);

/**
 * Ask the server for tests of the practice's keys.
 *
 * @param {HTMLFormElement} form
 * @returns {Promise<import("./proof.js").SealedTest[]>}
 */
export async function fetchTests(form) {
  const body = new URLSearchParams({
    csrf_token: typed(form, "csrf_token"),
    drill: typed(form, "drill"),
  });
  let response;
  try {
    const headers = { Accept: "application/json" };
    response = await fetch(form.dataset.tests ?? "", { method: "POST", body, headers, redirect: "manual" });
  } catch {
    throw new Fault("connection", "The connection to the server failed. Try again.");
  }
  if (!response.ok)
    throw new Fault("signed-out", "The server gave no test. Sign in again, then try once more.");
  return response.json();
}

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 */
const typed = (form, name) =>
  /** @type {HTMLInputElement | null} */ (form.elements.namedItem(name))?.value ?? "";
