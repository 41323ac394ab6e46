// @ts-check
// The opening page: unlock once, photos on the screen, nothing kept. A thread of its own does the opening and has the key.
import { Desk } from "./open/desk.js";
import { mountOpening } from "./open/opening.js";
import { goRounds } from "./open/rounds.js";
import { find } from "./open/view.js";

const root = find("#desk");
const desk = new Desk(root);
goRounds({
  kept: root.id,
  wanted: () => desk.unlocked,
  mount() {
    const place = document.querySelector("#open");
    return place ? mountOpening(/** @type {HTMLElement} */ (place), desk) : () => {};
  },
});
