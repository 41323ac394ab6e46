// @ts-check
// Keys of the inbox's list. They work only while the keyboard is in the list (WCAG 2.1.4), so that nothing typed elsewhere is
// taken for one.

/** @type {Record<string, (at: number, count: number) => number>} */
const MOVES = {
  ArrowDown: (at, count) => Math.min(at + 1, count - 1),
  j: (at, count) => Math.min(at + 1, count - 1),
  ArrowUp: (at) => Math.max(at - 1, 0),
  k: (at) => Math.max(at - 1, 0),
};

/** Let the keyboard go from row to row, and from the list to the search; say so. */
export function wireInbox() {
  const list = /** @type {HTMLElement | null} */ (document.querySelector("[data-keys]"));
  const search = document.getElementById("q");
  const told = document.getElementById("keys");
  const rows = /** @type {HTMLElement[]} */ ([...(list?.querySelectorAll("[data-row]") ?? [])]);
  if (!list || !search || !told || !rows.length) return;
  told.hidden = false;
  list.addEventListener("keydown", (event) => {
    const at = rows.indexOf(/** @type {HTMLElement} */ (event.target));
    if (at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    const move = MOVES[event.key];
    if (event.key === "/") search.focus();
    else if (move) rows[move(at, rows.length)]?.focus();
    else return;
    event.preventDefault();
  });
}
