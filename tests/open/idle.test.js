// The opening page locks itself when nobody is there (SECURITY 37).
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { lockWhenIdle } from "../../static/js/open/idle.js";

const MINUTE = 60_000;
/** Let time pass as it does, a second after another. */
function pass(milliseconds) {
  for (let left = milliseconds; left > 0; left -= 1000) mock.timers.tick(1000);
}

let page;
let told;
let stop;

beforeEach(() => {
  mock.timers.enable({ apis: ["setInterval", "Date"] });
  page = new EventTarget();
  globalThis.document = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.removeEventListener = page.removeEventListener.bind(page);
  told = [];
  stop = lockWhenIdle({
    limit: 15 * MINUTE,
    notice: MINUTE,
    warn: (soon) => told.push(soon),
    lock: () => told.push("locked"),
  });
});

afterEach(() => {
  stop();
  mock.timers.reset();
});

test("after 14 minutes it warns, after 15 it locks", () => {
  pass(13 * MINUTE);
  assert.deepEqual(told, []);
  pass(MINUTE);
  assert.deepEqual(told, [true]);
  pass(MINUTE);
  assert.deepEqual(told, [true, "locked"]);
});

test("a key or the pointer starts the 15 minutes anew and takes the warning away", () => {
  pass(14.5 * MINUTE);
  page.dispatchEvent(new Event("keydown"));
  assert.deepEqual(told, [true, false]);
  pass(13 * MINUTE);
  page.dispatchEvent(new Event("pointermove"));
  pass(13 * MINUTE);
  assert.deepEqual(told, [true, false]);
});

for (const [sign, wake] of [
  ["the pointer", () => page.dispatchEvent(new Event("pointermove"))],
  ["the page seen again", () => document.dispatchEvent(new Event("visibilitychange"))],
]) {
  test(`a computer that slept through the limit locks at the first sign of life: ${sign}`, () => {
    mock.timers.setTime(Date.now() + 60 * MINUTE);
    wake();
    assert.equal(told[0], "locked");
  });
}

test("once stopped it neither warns nor locks", () => {
  stop();
  pass(60 * MINUTE);
  page.dispatchEvent(new Event("keydown"));
  assert.deepEqual(told, []);
});
