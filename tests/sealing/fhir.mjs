// Writes opened photos as the FHIR file that the opening page saves: for each case its text, as a JSON list.
import { writeFhir } from "../../static/js/open/fhir.js";
import { fileName } from "../../static/js/open/names.js";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const texts = [];
for (const { request, photos } of JSON.parse(Buffer.concat(chunks).toString()).cases) {
  const total = request.photos.length;
  const album = request.photos.map((entry, index) => ({
    entry,
    number: index + 1,
    total,
    name: fileName(request, entry, index + 1, total),
    blob: new Blob([Buffer.from(photos[index], "base64")]),
  }));
  texts.push(await (await writeFhir(request, album)).text());
}
process.stdout.write(JSON.stringify(texts));
