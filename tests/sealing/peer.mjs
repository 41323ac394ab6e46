// The other implementation: reads one JSON request from standard input, does it with npm age-encryption, prints a JSON answer.
import { armor, Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from "age-encryption";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const request = JSON.parse(Buffer.concat(chunks).toString());
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const text = (data) => Buffer.from(data).toString("base64");

const actions = {
  async keygen() {
    const identity = await generateHybridIdentity();
    return { identity, recipient: await identityToRecipient(identity) };
  },
  async recipient() {
    return { recipient: await identityToRecipient(request.identity) };
  },
  async seal() {
    const encrypter = new Encrypter();
    for (const recipient of request.recipients ?? []) encrypter.addRecipient(recipient);
    if (request.passphrase) {
      encrypter.setPassphrase(request.passphrase);
      encrypter.setScryptWorkFactor(10);
    }
    const sealed = await encrypter.encrypt(bytes(request.plaintext));
    return { sealed: text(sealed), armored: armor.encode(sealed) };
  },
  async open() {
    const decrypter = new Decrypter();
    if (request.identity) decrypter.addIdentity(request.identity);
    if (request.passphrase) decrypter.addPassphrase(request.passphrase);
    const sealed = request.armored ? armor.decode(request.armored) : bytes(request.sealed);
    return { plaintext: text(await decrypter.decrypt(sealed)) };
  },
};

process.stdout.write(JSON.stringify(await actions[request.action]()));
