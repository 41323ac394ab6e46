// @ts-check
// The page of one photo: shows the picked photo back at once, sends it meanwhile, and goes on when the patient is content.
// Every sentence stands in the template, most as data attributes of the form.
import { upload } from "./upload.js";

/** @import { Arrival } from "./upload.js" */

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

/** @returns {string} 32 hexadecimal digits */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class PhotoPage {
  inputs = [part("camera", HTMLInputElement), part("photo", HTMLInputElement)];
  source = this.inputs[0]; // the one used last
  guide = part("guide", HTMLElement);
  error = part("photo-error", HTMLElement);
  look = part("look", HTMLElement);
  preview = part("preview", HTMLElement);
  noPreview = part("no-preview", HTMLElement);
  clear = part("clear", HTMLElement);
  hints = part("hints", HTMLElement);
  bar = part("bar", HTMLProgressElement);
  progress = part("progress", HTMLElement);
  spoken = part("spoken", HTMLElement);
  use = part("use", HTMLButtonElement);
  again = part("again", HTMLButtonElement);
  title = document.title.replace(/^Error: /, "");
  /** @type {Arrival | undefined} */
  arrival;
  agreed = false;
  sending = false;
  stop = () => {};

  /** @param {HTMLFormElement} form */
  constructor(form) {
    this.form = form;
    this.words = form.dataset;
    form.classList.add("app-enhanced");
    for (const input of this.inputs) {
      const rank = input.id === "camera" ? [] : ["nhsuk-button--secondary"];
      input.labels?.[0].classList.add("nhsuk-button", ...rank);
      input.addEventListener("change", () => this.picked(input));
    }
    this.use.addEventListener("click", () => {
      this.agreed = true;
      this.busy(!this.arrival);
      this.goOn();
    });
    this.again.addEventListener("click", () => {
      this.reset();
      this.source.focus();
      this.source.click();
    });
    addEventListener("beforeunload", (event) => {
      if (this.sending) {
        event.preventDefault();
      }
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
    this.show(file);
    this.send(file);
  }

  /**
   * @param {File} file
   * @returns {string | undefined} what can be told without the server
   */
  problem(file) {
    if (file.size === 0) {
      return this.words.empty;
    }
    if (file.size > Number(this.words.maxBytes)) {
      return this.words.large;
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

  /** @param {File} file */
  send(file) {
    const body = new FormData();
    for (const name of ["csrf_token", "photo_id", "request"]) {
      body.set(name, this.field(name).value);
    }
    body.set("photo", file);
    this.sending = true;
    this.tell(0);
    this.stop = upload(this.form.action, body, {
      sending: (percent) => this.tell(percent),
      waiting: (offline) => this.tell(0, offline ? this.words.offline : this.words.busy),
      arrived: (arrival) => this.arrived(arrival),
      refused: (sentence, status) =>
        this.refuse(sentence || (status === 413 ? this.words.large : undefined) || this.words.failed),
    });
  }

  /** @param {Arrival} arrival */
  arrived(arrival) {
    this.arrival = arrival;
    this.sending = false;
    this.busy(false);
    this.tell(100, arrival.message);
    if (arrival.hints.length > 0) {
      this.agreed = false; // it was given before this was known
      this.warn(arrival.hints.map(({ sentence }) => sentence));
    }
    this.goOn();
  }

  /** @param {string[]} sentences - what the quality check found */
  warn(sentences) {
    this.clear.hidden = true;
    this.hints.append(part("hint-box", HTMLTemplateElement).content.cloneNode(true));
    for (const sentence of sentences) {
      const line = document.createElement("p");
      line.textContent = sentence;
      this.hints.querySelector("[data-hints]")?.append(line);
    }
    this.use.textContent = this.words.anyway ?? "";
    this.prefer(this.again);
  }

  goOn() {
    if (this.agreed && this.arrival) {
      location.assign(this.arrival.next);
    }
  }

  /** Back to the guidance, with a new photo id: what was on its way is stopped, what has arrived will be replaced. */
  reset() {
    this.stop();
    this.arrival = undefined;
    this.agreed = this.sending = false;
    URL.revokeObjectURL(this.preview.querySelector("img")?.src ?? "");
    this.preview.replaceChildren();
    this.hints.replaceChildren();
    this.noPreview.hidden = true;
    this.clear.hidden = false;
    this.prefer(this.use);
    for (const input of this.inputs) {
      input.value = "";
    }
    this.field("photo_id").value = newId();
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
   * Say how far it is: each step on the page, every quarter to a screen reader.
   * @param {number} percent
   * @param {string} [sentence] in place of the usual one
   */
  tell(percent, sentence) {
    const usual = percent === 100 ? this.words.checking : this.words.sending?.replace("{}", String(percent));
    this.bar.value = percent;
    this.progress.textContent = sentence ?? usual ?? "";
    if (percent % 25 === 0 && this.spoken.textContent !== this.progress.textContent) {
      this.spoken.textContent = this.progress.textContent;
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

  /** @param {HTMLButtonElement} button - the one to stand out */
  prefer(button) {
    for (const each of [this.use, this.again]) {
      each.classList.toggle("nhsuk-button--secondary", each !== button);
    }
  }

  /** @param {string} name */
  field(name) {
    return /** @type {HTMLInputElement} */ (this.form.elements.namedItem(name));
  }
}
