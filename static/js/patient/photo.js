// @ts-check
// The page of one photo: shows the picked photo back at once, sends it meanwhile, and goes on when the patient is content.
// All sentences stand in the template, as data attributes of the form.
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

/** @param {HTMLFormElement} form */
export function enhancePhotoPage(form) {
  const look = part("look", HTMLElement);
  const guide = part("guide", HTMLElement);
  const heading = part("look-heading", HTMLElement);
  const preview = part("preview", HTMLElement);
  const hints = part("hints", HTMLElement);
  const bar = part("bar", HTMLProgressElement);
  const percent = part("percent", HTMLElement);
  const spoken = part("spoken", HTMLElement);
  const use = part("use", HTMLButtonElement);
  const again = part("again", HTMLButtonElement);
  const inputs = [part("camera", HTMLInputElement), part("photo", HTMLInputElement)];
  const title = document.title.replace(/^Error: /, "");
  const words = form.dataset;
  /** @type {Arrival | undefined} */
  let arrival;
  let agreed = false;
  let sending = false;
  let source = inputs[0];
  let stop = () => {};

  form.classList.add("app-enhanced");
  for (const input of inputs) {
    const label = input.labels?.[0];
    label?.classList.add("nhsuk-button", ...(input.id === "camera" ? [] : ["nhsuk-button--secondary"]));
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      source = input;
      if (file) {
        pick(file);
      }
    });
  }
  use.addEventListener("click", () => {
    agreed = true;
    goOn();
    busy(!arrival);
  });
  again.addEventListener("click", () => {
    reset();
    source.focus();
    source.click();
  });
  addEventListener("beforeunload", (event) => {
    if (sending) {
      event.preventDefault();
    }
  });

  /** @param {File} file */
  function pick(file) {
    clearRefusal();
    const empty = file.size === 0;
    if (empty || file.size > Number(words.maxBytes) || (file.type && !file.type.startsWith("image/"))) {
      refuse((empty ? words.empty : file.size > Number(words.maxBytes) ? words.large : words.kind) ?? "");
      return;
    }
    arrival = undefined;
    agreed = false;
    show(file);
    const body = new FormData();
    for (const name of ["csrf_token", "photo_id"]) {
      body.set(name, field(name).value);
    }
    body.set("photo", file);
    sending = true;
    stop = upload(form.action, body, { sending: progress, waiting, arrived, refused: refuse });
  }

  /** @param {File} file */
  function show(file) {
    const image = new Image();
    image.className = "app-preview";
    image.alt = words.alt ?? "";
    image.addEventListener("error", () => {
      image.remove();
      part("no-preview", HTMLElement).hidden = false;
    });
    image.src = URL.createObjectURL(file);
    preview.replaceChildren(image);
    busy(false);
    guide.hidden = form.hidden = true;
    look.hidden = false;
    progress(0);
    heading.focus();
  }

  /** Back to the guidance, with a new photo id: what was on its way is stopped, what has arrived is replaced. */
  function reset() {
    stop();
    sending = false;
    const image = preview.querySelector("img");
    if (image) {
      URL.revokeObjectURL(image.src);
    }
    preview.replaceChildren();
    hints.replaceChildren();
    part("no-preview", HTMLElement).hidden = true;
    for (const input of inputs) {
      input.value = "";
    }
    field("photo_id").value = newId();
    guide.hidden = form.hidden = false;
    look.hidden = true;
  }

  /** @param {string} name */
  function field(name) {
    return /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
  }

  /** @param {number} done - percent */
  function progress(done) {
    bar.value = done;
    percent.textContent = (words.sending ?? "").replace("{}", String(done));
    if (done % 25 === 0) {
      say(percent.textContent);
    }
  }

  /**
   * @param {number} seconds
   * @param {boolean} offline
   */
  function waiting(seconds, offline) {
    percent.textContent = ((offline ? words.offline : words.busy) ?? "").replace("{}", String(seconds));
    say(percent.textContent);
  }

  /** @param {Arrival} answer */
  function arrived(answer) {
    arrival = answer;
    sending = false;
    bar.value = 100;
    percent.textContent = answer.message;
    busy(false);
    if (answer.hints.length) {
      agreed = false; // the patient agreed before knowing
      hints.append(part("hint-box", HTMLTemplateElement).content.cloneNode(true));
      for (const { sentence } of answer.hints) {
        const line = document.createElement("p");
        line.textContent = sentence;
        hints.querySelector("[data-hints]")?.append(line);
      }
      use.textContent = words.anyway ?? "";
    } else {
      say(answer.message);
    }
    goOn();
  }

  function goOn() {
    if (agreed && arrival) {
      location.assign(arrival.next);
    }
  }

  /**
   * @param {string} sentence
   * @param {number} [status]
   */
  function refuse(sentence, status) {
    reset();
    const text = sentence || (status === 413 ? words.large : words.failed) || "";
    const summary = part("refusal", HTMLTemplateElement).content.cloneNode(true);
    part("maincontent", HTMLElement).prepend(summary);
    const box = document.querySelector(".nhsuk-error-summary");
    const link = box?.querySelector("a");
    if (link) {
      link.textContent = text;
      link.addEventListener("click", (event) => {
        event.preventDefault();
        inputs[0].focus();
      });
    }
    part("photo-error", HTMLElement).hidden = false;
    part("photo-sentence", HTMLElement).textContent = text;
    part("pick", HTMLElement).classList.add("nhsuk-form-group--error");
    for (const input of inputs) {
      input.setAttribute("aria-describedby", "photo-error");
    }
    document.title = `Error: ${title}`;
    if (box instanceof HTMLElement) {
      box.tabIndex = -1;
      box.focus();
    }
  }

  function clearRefusal() {
    document.querySelector(".nhsuk-error-summary")?.remove();
    part("photo-error", HTMLElement).hidden = true;
    part("pick", HTMLElement).classList.remove("nhsuk-form-group--error");
    for (const input of inputs) {
      input.removeAttribute("aria-describedby");
    }
    document.title = title;
  }

  /**
   * The button keeps the focus while it waits, so it is never disabled.
   * @param {boolean} on
   */
  function busy(on) {
    use.setAttribute("aria-disabled", String(on));
    use.textContent = (on ? words.wait : words.use) ?? "";
  }

  /** @param {string} sentence - for screen readers */
  function say(sentence) {
    if (spoken.textContent !== sentence) {
      spoken.textContent = sentence;
    }
  }
}

/** @returns {string} 32 hexadecimal digits */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
