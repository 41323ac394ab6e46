// @ts-check
import { lockWhenIdle } from "./idle.js";
import { find } from "./view.js";

/**
 * @typedef {import("../open-worker.js").Answer} Answer
 * @typedef {import("../open-worker.js").Step} Step
 * @typedef {import("../open-worker.js").Told} Told
 * @typedef {import("./bundle.js").Order} Order
 * @typedef {import("./fault.js").FaultReport} FaultReport
 * @typedef {import("./keyring.js").Secret} Secret
 *
 * What became of an opening: neither where the desk was locked, or left, before its end.
 * @typedef {{answer?: Answer, fault?: FaultReport}} Outcome
 */

const MINUTE = 60_000;
const NO_START = {
  code: "page",
  sentence:
    "This browser could not start opening the photos. Use a current version of Edge, Chrome, Firefox or Safari.",
  part: "",
};

/**
 * What stays while one page follows another: the thread that has the opened key, and the strip that says so. The key is there
 * from the first unlocking until someone locks it, leaves, closes the page, or does nothing for 15 minutes.
 */
export class Desk {
  unlocked = false;
  /** @type {() => void} set by the page that is here */
  whenLocked = () => {};
  /** @type {Worker | undefined} */
  worker;
  /** @type {Map<number, {step: (step: Step) => void, settle: (outcome: Outcome) => void}>} openings by number */
  waiting = new Map();
  number = 0;
  stopWatching = () => {};

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.strip = find(".app-unlocked", root);
    this.warning = find(".app-idle", root);
    find("[data-do=lock]", root).addEventListener("click", () => this.lock());
    addEventListener("pagehide", () => this.lock());
  }

  /**
   * @param {Order} order
   * @param {Secret | undefined} secret where the key for these photos is not unlocked yet
   * @param {(step: Step) => void} step is told how far it is
   * @returns {Promise<Outcome>}
   */
  open(order, secret, step) {
    this.worker ??= this.start();
    this.number += 1;
    this.worker.postMessage({ number: this.number, order, secret });
    return new Promise((settle) => this.waiting.set(this.number, { step, settle }));
  }

  /** Forget what is being opened, as the page that wanted it goes. */
  drop() {
    this.worker?.postMessage({ drop: this.number + 1 });
    this.settleAll({});
  }

  lock() {
    const wasUnlocked = this.unlocked;
    this.unlocked = false;
    this.strip.hidden = true;
    this.stopWatching();
    this.stopWatching = () => {};
    this.end({});
    this.whenLocked();
    if (wasUnlocked) find("[data-field=locked]", this.root).textContent = "Locked.";
  }

  start() {
    const worker = new Worker(this.root.dataset.worker ?? "", { type: "module" });
    worker.onmessage = ({ data }) => this.told(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.end({ fault: NO_START });
    };
    return worker;
  }

  /** @param {Told} told */
  told({ number, unlocked, step, ...outcome }) {
    if (unlocked) this.unlock();
    if (step) this.waiting.get(number)?.step(step);
    if (!outcome.answer && !outcome.fault) return;
    this.waiting.get(number)?.settle(outcome);
    this.waiting.delete(number);
    if (!this.unlocked) this.end({}); // without a key there is nothing to stay for
  }

  unlock() {
    if (this.unlocked) return;
    this.unlocked = true;
    this.strip.hidden = false;
    find("[data-field=locked]", this.root).textContent = "";
    this.stopWatching = lockWhenIdle({
      limit: 15 * MINUTE,
      notice: MINUTE,
      warn: (soon) => this.warn(soon),
      lock: () => this.lock(),
    });
  }

  /** @param {boolean} soon */
  warn(soon) {
    const dialog = soon && document.querySelector("dialog[open]"); // beside it nothing is seen or read out
    (dialog || this.root).append(this.warning);
    this.warning.textContent = soon
      ? "This page locks in one minute. Press a key or move the pointer to keep it open."
      : "";
  }

  /** @param {Outcome} outcome of all that is under way */
  end(outcome) {
    this.worker?.terminate();
    this.worker = undefined;
    this.settleAll(outcome);
  }

  /** @param {Outcome} outcome */
  settleAll(outcome) {
    for (const { settle } of this.waiting.values()) settle(outcome);
    this.waiting.clear();
  }
}
