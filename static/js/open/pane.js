// @ts-check
import { find, veil } from "./view.js";
import { about, told } from "./words.js";

/** @typedef {import("./view.js").Shown} Shown */

const CLOSEST = 8; // screen pixels for a pixel of the photo

/** One photo in its frame: how close, how turned. Both are of the view alone; the file stays as it is. */
export class Pane {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.frame = find(".app-pane__frame", root);
    this.sheet = find(".app-pane__sheet", root);
    this.image = find("img", root);
    this.turns = 0;
    /** @type {number | null} CSS pixels for a pixel of the photo; null: as large as the frame */
    this.zoom = null;
    /** @type {Shown | null} */
    this.shown = null;
    find("[data-do=unveil]", root).addEventListener("click", () => this.unveil());
    new ResizeObserver(() => this.lay()).observe(this.frame);
  }

  /**
   * @param {Shown} shown
   * @param {string} day that goes before its title, where there is more than one
   */
  put(shown, day) {
    this.shown = shown;
    this.turns = 0;
    this.zoom = null;
    Object.assign(this.image, { src: shown.url, alt: shown.entry.title });
    const title = `${shown.number} of ${shown.total}: ${shown.entry.title}`;
    find("[data-field=title]", this.root).textContent = day ? `${day}, ${title}` : title;
    find("[data-field=facts]", this.root).textContent = [about(shown.entry), told(shown.entry)]
      .join(" ")
      .trim();
    this.lay();
  }

  clear() {
    this.shown = null;
    this.image.removeAttribute("src");
  }

  unveil() {
    if (this.shown) veil(this.shown, false);
    this.lay();
    this.frame.focus();
  }

  turn() {
    this.turns = (this.turns + 1) % 4;
    this.lay();
  }

  /** @param {number | null} zoom null: as large as the frame */
  zoomTo(zoom) {
    const { frame } = this;
    const middle = [
      (frame.scrollLeft + frame.clientWidth / 2) / frame.scrollWidth,
      (frame.scrollTop + frame.clientHeight / 2) / frame.scrollHeight,
    ];
    this.zoom = zoom === null ? null : Math.min(Math.max(zoom, this.whole()), CLOSEST);
    this.lay();
    frame.scrollTo(
      middle[0] * frame.scrollWidth - frame.clientWidth / 2,
      middle[1] * frame.scrollHeight - frame.clientHeight / 2,
    );
  }

  /** @param {number} factor */
  zoomBy(factor) {
    this.zoomTo((this.zoom ?? this.whole()) * factor);
  }

  /** @returns {number} the zoom at which all of the photo is seen */
  whole() {
    const [width, height] = this.size();
    return Math.min(this.frame.clientWidth / width, this.frame.clientHeight / height, 1);
  }

  /** @returns {[number, number]} of the photo as it is turned, in its pixels */
  size() {
    const { width = 1, height = 1 } = this.shown?.entry ?? {};
    return this.turns % 2 ? [height, width] : [width, height];
  }

  lay() {
    if (!this.shown || !this.frame.clientWidth) return;
    const [width, height] = this.size();
    const zoom = this.zoom ?? this.whole();
    const { entry, veiled } = this.shown;
    Object.assign(this.sheet.style, { width: `${width * zoom}px`, height: `${height * zoom}px` });
    Object.assign(this.image.style, {
      width: `${entry.width * zoom}px`,
      height: `${entry.height * zoom}px`,
      transform: `translate(-50%, -50%) rotate(${this.turns * 90}deg)`,
    });
    this.image.classList.toggle("app-pixels", zoom * devicePixelRatio > 2);
    this.root.toggleAttribute("data-veiled", veiled);
    find("[data-do=unveil]", this.root).hidden = !veiled;
    find("[data-field=zoom]", this.root).textContent = `${Math.round(zoom * devicePixelRatio * 100)}%`;
  }
}
