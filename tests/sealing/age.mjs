// `age -d -i IDENTITY FILE`, on npm age-encryption, so that the commands of docs/FORMAT.md run where no age 1.3 is.
import { readFileSync } from "node:fs";
import { Decrypter } from "age-encryption";

const [flag, option, identityFile, file] = process.argv.slice(2);
if (flag !== "-d" || option !== "-i") throw new Error("only age -d -i IDENTITY FILE");
const decrypter = new Decrypter();
for (const line of readFileSync(identityFile, "utf8").split("\n")) {
  if (line && !line.startsWith("#")) decrypter.addIdentity(line);
}
process.stdout.write(await decrypter.decrypt(new Uint8Array(readFileSync(file))));
