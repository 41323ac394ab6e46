// @ts-check
// What the patient's pages gain where there is script. Everything works without it.
import { Button, CharacterCount, createAll, ErrorSummary, SkipLink } from "nhsuk-frontend";
import { PhotoPage } from "./patient/photo.js";

for (const component of [Button, CharacterCount, ErrorSummary, SkipLink]) {
  createAll(component);
}
const form = document.querySelector("form[data-photo]");
if (form instanceof HTMLFormElement) {
  new PhotoPage(form);
}
