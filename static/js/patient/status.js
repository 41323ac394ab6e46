// @ts-check
// Says how far the photos are: in the line on top of each page, and in the rows of the list and of the check page.

/** @import { Outbox, State, View } from "./outbox.js" */

export class Status {
  noSignal = false;

  /**
   * @param {HTMLElement} place - #sending; its sentences are its data attributes
   * @param {Outbox} outbox
   */
  constructor(place, outbox) {
    this.place = place;
    this.words = place.dataset;
    this.outbox = outbox;
    this.line = this.part("#sending-line");
    this.spoken = this.part("#sending-spoken");
    this.problems = this.part("#sending-problems");
    this.bar = /** @type {HTMLProgressElement} */ (this.part("#sending-bar"));
    outbox.addEventListener("change", () => this.show());
    this.show();
  }

  /** @param {boolean} on - there is no signal to fetch the next page */
  wait(on) {
    this.noSignal = on;
    this.show();
  }

  /** @param {string} selector */
  part(selector) {
    return /** @type {HTMLElement} */ (this.place.querySelector(selector));
  }

  show() {
    const { views, total } = this.outbox.facts;
    const arrived = views.filter((view) => view.arrived);
    const photo = this.outbox.queue[0];
    const state = photo && this.outbox.state(photo.view);
    const all = fill(this.words.arrived, { n: arrived.length, total: Math.max(total, arrived.length) });
    const held = state?.held || (this.noSignal ? "signal" : "");
    const now = held ? this.words[held] : state && this.now(state);
    this.place.hidden = !(arrived.length || held || this.troubled().length || !this.outbox.empty);
    this.place.classList.toggle("app-sending--held", Boolean(held));
    this.bar.hidden = !state;
    this.bar.value = state?.percent ?? 0;
    setText(this.line, now ? `${all}. ${now}` : `${all}.`);
    if (!this.place.hidden) {
      setText(this.spoken, (held ? this.words[held] : all) ?? ""); // each arrival and each wait, but not every percent
    }
    this.showProblems();
    for (const view of views) {
      this.showRow(view);
    }
  }

  /**
   * @param {State} state
   * @returns {string}
   */
  now({ stage, percent }) {
    if (stage === "waiting") {
      return this.words.waits ?? "";
    }
    return percent === 100 ? (this.words.checking ?? "") : fill(this.words.onItsWay, { percent });
  }

  /** @returns {View[]} those whose photo was refused, or found wanting by the server */
  troubled() {
    return this.outbox.facts.views.filter(({ id }) => {
      const { stage, sentence } = this.outbox.state(id);
      return stage === "refused" || (stage === "arrived" && sentence);
    });
  }

  showProblems() {
    const lines = this.troubled().map((view) => {
      const [line, link] = [document.createElement("li"), document.createElement("a")];
      link.href = view.url;
      link.textContent = view.title;
      line.append(link, " ", this.outbox.state(view.id).sentence || (this.words.failed ?? ""));
      return line;
    });
    const before = this.problems.textContent;
    if (lines.map((line) => line.textContent).join("") !== before) {
      this.problems.replaceChildren(...lines);
    }
    this.problems.hidden = lines.length === 0;
    this.place.classList.toggle("app-sending--told", lines.length > 0);
  }

  /** @param {View} view - its rows get the state as `data-state`, and its words */
  showRow({ id }) {
    const { stage, percent = 0, held } = this.outbox.states.get(id) ?? {};
    for (const row of stage ? document.querySelectorAll(`main [data-view="${CSS.escape(id)}"]`) : []) {
      const word = held || !stage ? "rowWaiting" : `row${stage[0].toUpperCase()}${stage.slice(1)}`;
      row.setAttribute("data-state", held ? "waiting" : (stage ?? ""));
      const words = row.querySelector("[data-words]");
      if (words) {
        setText(words, fill(this.words[word], { percent }));
      }
    }
  }
}

/**
 * @param {string | undefined} sentence
 * @param {Record<string, number>} values
 * @returns {string} with each {name} filled in
 */
function fill(sentence, values) {
  return (sentence ?? "").replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/**
 * @param {Element} place
 * @param {string} text - set only when it is another: a screen reader would say it again
 */
function setText(place, text) {
  if (place.textContent?.trim() !== text) {
    place.textContent = text;
  }
}
