// Prints the name under which the opening page saves a photo, as JSON.
import { fileName } from "../../static/js/open/names.js";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { request, view, number, total } = JSON.parse(Buffer.concat(chunks).toString());
process.stdout.write(JSON.stringify(fileName(request, { view }, number, total)));
