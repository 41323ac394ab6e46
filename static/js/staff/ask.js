// @ts-check
// The form that asks for photos: the body map, the side only where there is one, the receipt of the last photos only for a follow-up.

/** Wire the form up, if this page has it. */
export function wireAsking() {
  const site = /** @type {HTMLSelectElement | null} */ (document.querySelector("select#site"));
  const side = /** @type {HTMLElement | null} */ (document.querySelector("[data-side-choice]"));
  const map = /** @type {HTMLElement | null} */ (document.querySelector("[data-body]"));
  const receipt = /** @type {HTMLElement | null} */ (document.querySelector("[data-receipt]"));
  const follows = /** @type {HTMLInputElement | null} */ (document.querySelector("[data-follows=yes]"));
  if (!site || !side) return;
  const show = map ? drawRadios(map, site, side) : () => {};
  const fit = () => {
    fitSide(site, side);
    if (receipt && follows) receipt.hidden = !follows.checked;
    show();
  };
  site.form?.addEventListener("change", fit);
  fit();
}

/**
 * A radio button for each region, so that the map is one stop of the keyboard and has the names that a screen reader needs.
 * Choosing one chooses in the list and the side; gives what marks the region that the two name.
 *
 * @param {HTMLElement} map
 * @param {HTMLSelectElement} site
 * @param {HTMLElement} side
 */
function drawRadios(map, site, side) {
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
