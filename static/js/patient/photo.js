// @ts-check
// The page of one photo: a picture that is picked or taken is checked here at once and shown with what may be wrong; one that
// the patient uses is handed to the outbox, and the journey goes on. Every sentence stands in the template.
import { Camera } from "./camera.js";
import { hints, look, measure } from "./quality.js";

/** @import { Outbox } from "./outbox.js" */

/**
 * @typedef {Pick<Outbox, "add" | "next" | "state">} Sender
 * @typedef {{ outbox: Sender, go: (url: string) => void, stay: () => void, choose: () => AbortSignal }} Context
 */

/** @type {Map<string, number>} how often each view was taken while this document lives */
const takes = new Map();

/**
 * Start the page, if it is that of a photo.
 * @param {HTMLElement} main
 * @param {Context} context
 * @returns {(() => void) | undefined} ends it
 */
export function mountPhoto(main, context) {
  const form = main.querySelector("form[data-photo]");
  if (!(form instanceof HTMLFormElement)) {
    return undefined;
  }
  const page = new PhotoPage(main, form, context);
  return () => page.end();
}

class PhotoPage {
  /** @type {Blob | undefined} what is shown */
  blob;
  /** @type {string[]} */
  found = [];
  again = () => {}; // how the photo was taken, once more
  address = "";
  ended = false;

  /**
   * @param {HTMLElement} main
   * @param {HTMLFormElement} form
   * @param {Context} context
   */
  constructor(main, form, { outbox, go, stay, choose }) {
    this.main = main;
    this.form = form;
    this.outbox = outbox;
    this.go = go;
    this.stay = stay;
    this.choose = choose;
    this.words = form.dataset;
    this.view = form.dataset.photo ?? "";
    this.title = document.title.replace(/^[^:]+: /, "");
    this.inputs = [this.part("camera", HTMLInputElement), this.part("photo", HTMLInputElement)];
    this.use = this.part("use", HTMLButtonElement);
    this.retake = this.part("again", HTMLButtonElement);
    this.camera = new Camera(this.part("viewfinder", HTMLElement), (blob) => this.picked(blob));
    if (!takes.has(this.view)) {
      takes.set(this.view, this.words.done || this.outbox.state(this.view).stage ? 1 : 0);
    }
    form.classList.add("app-enhanced");
    this.offer();
    this.use.addEventListener("click", () => this.send());
    this.retake.addEventListener("click", () => {
      this.stay(); // a page that comes now would take the newer photo's place
      this.reset();
      this.again();
    });
  }

  end() {
    this.ended = true;
    this.camera.close();
    URL.revokeObjectURL(this.address);
  }

  /** The ways to a photo: the phone's own camera, a file, and where it can be, our live camera. */
  offer() {
    for (const input of this.inputs) {
      input.labels?.[0].classList.add(
        "nhsuk-button",
        ...(input.id === "camera" ? [] : ["nhsuk-button--secondary"]),
      );
      input.addEventListener("change", () => {
        const file = input.files?.[0];
        this.again = () => {
          input.focus();
          input.click();
        };
        if (file) {
          this.picked(file);
        }
      });
    }
    const frame = this.part("frame", HTMLButtonElement);
    this.part("frame-offer", HTMLElement).hidden = !Camera.isOffered();
    frame.addEventListener("click", () => this.frame(frame));
  }

  /** @param {HTMLButtonElement} button */
  async frame(button) {
    const problem = this.part("frame-problem", HTMLElement);
    problem.replaceChildren();
    this.again = () => this.frame(button);
    const why = await this.camera.open(button);
    if (why) {
      problem.append(this.part(`camera-${why}`, HTMLTemplateElement).content.cloneNode(true));
    }
  }

  /** @param {Blob} blob - a photo, or what was taken for one */
  async picked(blob) {
    this.clearRefusal();
    const wrong =
      blob.size === 0 ? this.words.empty : blob.type && !/^image\//.test(blob.type) ? this.words.kind : "";
    if (wrong) {
      this.refuse(wrong);
      return;
    }
    this.blob = blob;
    this.address = URL.createObjectURL(blob);
    const image = new Image();
    image.className = "app-preview";
    image.alt = this.words.alt ?? "";
    image.src = this.address;
    const seen = await image.decode().then(
      () => true,
      () => false,
    );
    if (this.ended || this.blob !== blob) {
      return;
    }
    this.found = seen ? this.check(image) : [];
    this.show(seen ? image : undefined);
  }

  /**
   * @param {HTMLImageElement} image
   * @returns {string[]} codes of what may be wrong; none where it cannot be measured here: the server measures too
   */
  check(image) {
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    try {
      return hints(
        measure(look(image, width, height), width, height),
        JSON.parse(this.words.thresholds ?? ""),
      );
    } catch {
      return [];
    }
  }

  /** @param {HTMLImageElement | undefined} image - the photo, if this browser can show it */
  show(image) {
    const count = (takes.get(this.view) ?? 0) + 1;
    takes.set(this.view, count);
    const doubtful = this.found.length > 0;
    const mayUse = !doubtful || count > 1;
    this.part("preview", HTMLElement).replaceChildren(...(image ? [image] : []));
    this.part("no-preview", HTMLElement).hidden = Boolean(image);
    this.part("clear", HTMLElement).hidden = !image || doubtful;
    this.part("guide", HTMLElement).hidden = this.form.hidden = true;
    this.part("look", HTMLElement).hidden = false;
    this.use.hidden = !mayUse;
    this.use.textContent = (doubtful ? this.words.anyway : this.words.use) ?? "";
    this.prefer(doubtful ? this.retake : this.use);
    this.part("kept", HTMLElement).hidden = mayUse;
    this.part("look-heading", HTMLElement).focus();
    if (doubtful) {
      this.warn();
    }
    if (!mayUse && this.blob) {
      this.outbox.add({ view: this.view, blob: this.blob }); // whatever the patient does next, it is not lost
    }
  }

  warn() {
    const box = this.part("hints", HTMLElement);
    box.append(this.part("hint-box", HTMLTemplateElement).content.cloneNode(true));
    for (const code of this.found) {
      const line = document.createElement("p");
      line.textContent = this.words[code] ?? "";
      box.querySelector("[data-hints]")?.append(line);
    }
  }

  async send() {
    const blob = this.blob;
    if (blob) {
      this.blob = undefined; // once, however often the button is pressed
      const choice = this.choose();
      await this.outbox.add({ view: this.view, blob, anyway: this.found.length > 0 });
      if (!choice.aborted) {
        this.go(this.outbox.next(this.view));
      }
    }
  }

  /** Back to the guidance. */
  reset() {
    URL.revokeObjectURL(this.address);
    this.blob = undefined;
    this.part("preview", HTMLElement).replaceChildren();
    this.part("hints", HTMLElement).replaceChildren();
    for (const input of this.inputs) {
      input.value = "";
    }
    this.part("guide", HTMLElement).hidden = this.form.hidden = false;
    this.part("look", HTMLElement).hidden = true;
  }

  /** @param {string} sentence */
  refuse(sentence) {
    this.reset();
    this.main.prepend(this.part("refusal", HTMLTemplateElement).content.cloneNode(true));
    const summary = this.main.querySelector(".nhsuk-error-summary");
    const link = summary?.querySelector("a");
    if (!(summary instanceof HTMLElement && link)) {
      return;
    }
    link.textContent = this.part("photo-sentence", HTMLElement).textContent = sentence;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      this.inputs[0].focus();
    });
    this.mark(true);
    summary.tabIndex = -1;
    summary.focus();
  }

  clearRefusal() {
    this.main.querySelector(".nhsuk-error-summary")?.remove();
    this.mark(false);
  }

  /** @param {boolean} wrong - whether the field shows a problem */
  mark(wrong) {
    const error = this.part("photo-error", HTMLElement);
    const word = error.querySelector(".nhsuk-u-visually-hidden")?.textContent;
    document.title = wrong ? `${word} ${this.title}` : this.title;
    error.hidden = !wrong;
    this.part("pick", HTMLElement).classList.toggle("nhsuk-form-group--error", wrong);
    for (const input of this.inputs) {
      if (wrong) {
        input.setAttribute("aria-describedby", error.id);
      } else {
        input.removeAttribute("aria-describedby");
      }
    }
  }

  /** @param {HTMLButtonElement} button - the one to stand out, and to be read first */
  prefer(button) {
    for (const each of [this.use, this.retake]) {
      each.classList.toggle("nhsuk-button--secondary", each !== button);
    }
    button.parentElement?.prepend(button);
  }

  /**
   * @template {HTMLElement} T
   * @param {string} id
   * @param {new () => T} kind
   * @returns {T} the part of the page with this id
   */
  part(id, kind) {
    const found = this.main.querySelector(`#${id}`);
    if (!(found instanceof kind)) {
      throw new Error(`The page has no #${id}`);
    }
    return found;
  }
}
