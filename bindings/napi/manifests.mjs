// Writes the package.json of packages: `node manifests.mjs OUT PACKAGE PLATFORM…`, into OUT/PACKAGE, which takes those of all these platforms as
// optional dependencies, and into OUT/PACKAGE-PLATFORM for each, which npm installs where it fits.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [out, folder, ...names] = process.argv.slice(2);
const read = (file) => JSON.parse(readFileSync(join(import.meta.dirname, file), 'utf8'));
const write = (name, manifest) => {
  mkdirSync(join(out, name), { recursive: true });
  writeFileSync(join(out, name, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
};

const platforms = read('platforms.json');
const main = read(`${folder}/package.json`);
const { name, version, license, repository, engines } = main;
const native = (platform) => `@walwarden/${folder}-${platform}`;

write(folder, { ...main, optionalDependencies: Object.fromEntries(names.map((platform) => [native(platform), version])) });
for (const platform of names) {
  const { os, cpu, libc } = platforms[platform];
  const description = `The native module of ${name} for ${platform}`;
  const fits = { os: [os], cpu: [cpu], ...(libc && { libc: [libc] }) };
  const files = ['walwarden.node'];
  write(`${folder}-${platform}`, { name: native(platform), version, description, license, repository, engines, ...fits, main: files[0], files });
}
