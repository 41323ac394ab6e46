// @ts-check
// The form that asks for photos: finding a part of the body by a word, the body map, the side only where there is one, the receipt of the last photos only for a follow-up.

/** Wire the form up, if this page has it. */
export function wireAsking() {
  const site = /** @type {HTMLSelectElement | null} */ (document.querySelector("select#site"));
  const side = /** @type {HTMLElement | null} */ (document.querySelector("[data-side-choice]"));
  const map = /** @type {HTMLElement | null} */ (document.querySelector("[data-body]"));
  const receipt = /** @type {HTMLElement | null} */ (document.querySelector("[data-receipt]"));
  const follows = /** @type {HTMLInputElement | null} */ (document.querySelector("[data-follows=yes]"));
  if (!site || !side) return;
  const showAll = offerFinding(site);
  const show = map ? drawRadios(map, site, side, showAll) : () => {};
  const fit = () => {
    fitSide(site, side);
    if (receipt && follows) receipt.hidden = !follows.checked;
    show();
  };
  site.form?.addEventListener("change", fit);
  fit();
}

/**
 * A field that leaves in the list what a word finds, and chooses what is called that, or the first; emptied, it brings all back.
 *
 * @param {HTMLSelectElement} site
 * @returns {() => void} empties it
 */
function offerFinding(site) {
  const group = /** @type {HTMLElement} */ (document.querySelector("[data-find]"));
  const field = /** @type {HTMLInputElement} */ (group.querySelector("input"));
  const status = /** @type {HTMLElement} */ (document.getElementById("found-sites"));
  const [nothing, ...all] = site.options;
  group.hidden = false;
  const find = () => {
    const typed = field.value.trim().toLowerCase();
    const found = all.filter((option) => startsAWord(option, typed));
    site.replaceChildren(nothing, ...(found.length ? found : all));
    status.textContent = typed ? foundWords(found) : "";
    if (!typed) return;
    site.value = (found.find((option) => option.text.toLowerCase() === typed) ?? found[0] ?? nothing).value;
    site.dispatchEvent(new Event("change", { bubbles: true }));
  };
  field.addEventListener("input", find);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault(); // it would send the form
  });
  return () => {
    field.value = "";
    find();
  };
}

/**
 * @param {HTMLOptionElement} option
 * @param {string} typed in small letters
 */
function startsAWord(option, typed) {
  const words = ` ${option.text} ${option.dataset.also}`.toLowerCase().replace("(", "");
  return words.includes(` ${typed}`);
}

/** @param {HTMLOptionElement[]} found */
function foundWords(found) {
  if (!found.length) return "No part of the body found";
  return `${found.length} found: ${found.map((option) => option.text).join(", ")}`;
}

/**
 * A radio button for each region, so that the map is one stop of the keyboard and has the names that a screen reader needs.
 * Choosing one chooses in the list and the side; gives what marks the region that the two name.
 *
 * @param {HTMLElement} map
 * @param {HTMLSelectElement} site
 * @param {HTMLElement} side
 * @param {() => void} showAll brings every place back into the list
 */
function drawRadios(map, site, side, showAll) {
  const regions = /** @type {NodeListOf<SVGElement>} */ (map.querySelectorAll(".app-body__region"));
  const pairs = [...regions].map((region) => {
    const radio = document.createElement("input");
    radio.type = "radio";
    radio.name = "place"; // the server reads the list and the side alone
    radio.className = "nhsuk-u-visually-hidden";
    radio.setAttribute("aria-label", `${region.dataset.title}, ${figureOf(region)}`);
    region.closest("figure")?.append(radio);
    radio.addEventListener("focus", () => region.classList.add("app-body__region--focus"));
    radio.addEventListener("blur", () => region.classList.remove("app-body__region--focus"));
    radio.addEventListener("change", () => {
      showAll();
      site.value = region.dataset.site ?? "";
      choose(side, region.dataset.side ?? "");
    });
    region.addEventListener("click", () => {
      radio.focus({ preventScroll: true });
      radio.click();
    });
    return { region, radio };
  });
  map.hidden = false;
  return () => {
    const chosen = choice(side)?.value ?? "";
    const matching = pairs.filter(
      ({ region }) => region.dataset.site === site.value && region.dataset.side === chosen,
    );
    for (const { region, radio } of pairs) {
      region.classList.toggle(
        "app-body__region--chosen",
        matching.some((one) => one.region === region),
      );
      if (!matching.length) radio.checked = false;
    }
    if (matching.length && !matching.some(({ radio }) => radio.checked)) matching[0].radio.checked = true;
  };
}

/** @param {SVGElement} region */
function figureOf(region) {
  return region.closest("figure")?.dataset.title?.toLowerCase() ?? "";
}

/**
 * The back and the nose have no side: ask for it only where the part of the body has one.
 *
 * @param {HTMLSelectElement} select
 * @param {HTMLElement} group
 */
function fitSide(select, group) {
  const hasSides = select.selectedOptions[0]?.dataset.sides === "yes";
  group.hidden = !hasSides;
  const none = /** @type {HTMLInputElement} */ (group.querySelector('input[value=""]'));
  none.closest(".nhsuk-radios__item")?.toggleAttribute("hidden", hasSides);
  if (!hasSides) none.checked = true;
  else if (choice(group) === none) none.checked = false;
}

/** @param {HTMLElement} group */
function choice(group) {
  return /** @type {HTMLInputElement | null} */ (group.querySelector("input:checked"));
}

/**
 * @param {HTMLElement} group
 * @param {string} value
 */
function choose(group, value) {
  const radio = /** @type {HTMLInputElement | null} */ (group.querySelector(`input[value="${value}"]`));
  if (radio) radio.checked = true;
}
