// Seals or opens one age file from stdin to stdout: node age_peer.mjs MODULES seal|open KEY...
import { pathToFileURL } from "node:url";
import { readFileSync, writeSync } from "node:fs";

const [modules, verb, ...keys] = process.argv.slice(2);
const age = await import(pathToFileURL(`${modules}/age-encryption/dist/index.js`));
const input = new Uint8Array(readFileSync(0));
let output;
if (verb === "seal") {
  const encrypter = new age.Encrypter();
  for (const key of keys) encrypter.addRecipient(key);
  output = await encrypter.encrypt(input);
} else if (verb === "open") {
  const decrypter = new age.Decrypter();
  for (const key of keys) decrypter.addIdentity(key);
  output = await decrypter.decrypt(input);
} else {
  output = new TextEncoder().encode(await age.identityToRecipient(keys[0]));
}
for (let at = 0; at < output.length; ) at += writeSync(1, output, at);
