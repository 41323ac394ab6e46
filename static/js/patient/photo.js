// @ts-check
// The page of one photo: shows the picked photo back at once; when the patient is content it goes to the outbox, and we go on.
// Every sentence stands in the template, most as data attributes of the form.

/** @import { Outbox } from "./outbox.js" */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
function part(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) {
    throw new Error(`The page has no #${id}`);
  }
  return found;
}

/**
 * @param {HTMLElement} main
 * @param {{ outbox: Outbox, go: (url: string) => void }} context
 * @returns {(() => void) | undefined} what ends it; undefined where the page asks for no photo
 */
export function mountPhoto(main, context) {
  const form = main.querySelector("form[data-photo]");
  if (!(form instanceof HTMLFormElement)) {
    return undefined;
  }
  const page = new PhotoPage(form, context);
  return () => page.clearPreview();
}

class PhotoPage {
  inputs = [part("camera", HTMLInputElement), part("photo", HTMLInputElement)];
  source = this.inputs[0]; // the one used last
  guide = part("guide", HTMLElement);
  error = part("photo-error", HTMLElement);
  look = part("look", HTMLElement);
  preview = part("preview", HTMLElement);
  noPreview = part("no-preview", HTMLElement);
  clear = part("clear", HTMLElement);
  use = part("use", HTMLButtonElement);
  again = part("again", HTMLButtonElement);
  title = document.title.replace(/^Error: /, "");
  /** @type {File | undefined} */
  file;

  /**
   * @param {HTMLFormElement} form
   * @param {{ outbox: Outbox, go: (url: string) => void }} context
   */
  constructor(form, { outbox, go }) {
    this.form = form;
    this.outbox = outbox;
    this.go = go;
    this.view = decodeURIComponent(new URL(form.action).pathname.split("/").pop() ?? "");
    part("bar", HTMLElement).parentElement?.remove();
    this.words = form.dataset;
    form.classList.add("app-enhanced");
    for (const input of this.inputs) {
      const rank = input.id === "camera" ? [] : ["nhsuk-button--secondary"];
      input.labels?.[0].classList.add("nhsuk-button", ...rank);
      input.addEventListener("change", () => this.picked(input));
    }
    this.use.addEventListener("click", () => this.useIt());
    this.again.addEventListener("click", () => {
      this.reset();
      this.source.focus();
      this.source.click();
    });
  }

  /** @param {HTMLInputElement} input */
  picked(input) {
    const file = input.files?.[0];
    this.source = input;
    this.clearRefusal();
    if (!file) {
      return;
    }
    const problem = this.problem(file);
    if (problem) {
      this.refuse(problem);
      return;
    }
    this.file = file;
    this.show(file);
  }

  /**
   * @param {File} file
   * @returns {string | undefined} what can be told without the server
   */
  problem(file) {
    if (file.size === 0) {
      return this.words.empty;
    }
    return file.type && !file.type.startsWith("image/") ? this.words.kind : undefined;
  }

  /** @param {File} file */
  show(file) {
    const image = new Image();
    image.className = "app-preview";
    image.alt = this.words.alt ?? "";
    image.addEventListener("error", () => {
      image.remove();
      this.clear.hidden = true;
      this.noPreview.hidden = false;
    });
    image.src = URL.createObjectURL(file);
    this.preview.replaceChildren(image);
    this.guide.hidden = this.form.hidden = true;
    this.look.hidden = false;
    this.busy(false);
    part("look-heading", HTMLElement).focus();
  }

  async useIt() {
    if (this.file && this.use.getAttribute("aria-disabled") !== "true") {
      this.busy(true);
      await this.outbox.add({ view: this.view, blob: this.file });
      this.go(this.outbox.next(this.view));
    }
  }

  clearPreview() {
    URL.revokeObjectURL(this.preview.querySelector("img")?.src ?? "");
    this.preview.replaceChildren();
  }

  /** Back to the guidance. */
  reset() {
    this.file = undefined;
    this.clearPreview();
    this.noPreview.hidden = true;
    this.clear.hidden = false;
    for (const input of this.inputs) {
      input.value = "";
    }
    this.guide.hidden = this.form.hidden = false;
    this.look.hidden = true;
  }

  /** @param {string} [sentence] */
  refuse(sentence = "") {
    this.reset();
    part("maincontent", HTMLElement).prepend(part("refusal", HTMLTemplateElement).content.cloneNode(true));
    const summary = document.querySelector(".nhsuk-error-summary");
    const link = summary?.querySelector("a");
    if (!(summary instanceof HTMLElement && link)) {
      return;
    }
    link.textContent = part("photo-sentence", HTMLElement).textContent = sentence;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      this.inputs[0].focus();
    });
    this.mark(true);
    summary.tabIndex = -1;
    summary.focus();
  }

  clearRefusal() {
    document.querySelector(".nhsuk-error-summary")?.remove();
    this.mark(false);
  }

  /** @param {boolean} wrong - whether the field shows a problem */
  mark(wrong) {
    document.title = wrong ? `Error: ${this.title}` : this.title;
    this.error.hidden = !wrong;
    part("pick", HTMLElement).classList.toggle("nhsuk-form-group--error", wrong);
    for (const input of this.inputs) {
      if (wrong) {
        input.setAttribute("aria-describedby", this.error.id);
      } else {
        input.removeAttribute("aria-describedby");
      }
    }
  }

  /**
   * The button keeps the focus while it waits, so it is never disabled.
   * @param {boolean} on
   */
  busy(on) {
    this.use.setAttribute("aria-disabled", String(on));
    this.use.textContent = (on ? this.words.wait : this.words.use) ?? "";
  }
}
