// Strips every file in one folder into another as the patient's page does; tells as JSON what it found in each.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { argv, stdout } from "node:process";
import { strip } from "../../static/js/patient/strip.js";

const [from, to] = argv.slice(2);
const told = {};
for (const name of readdirSync(from)) {
  const bare = strip(new Uint8Array(readFileSync(`${from}/${name}`)));
  told[name] = bare ? { taken: bare.taken, wide: bare.wide } : null;
  if (bare) {
    writeFileSync(`${to}/${name}`, new Uint8Array(await bare.blob.arrayBuffer()));
  }
}
stdout.write(JSON.stringify(told));
