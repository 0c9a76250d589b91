// Puts the page together: one file that holds its style, its scripts and the wasm, and may load nothing else.
//
// node assemble.mjs FOLDER_OF_WASM_BINDGEN PAGE

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const [generated, page] = process.argv.slice(2);
const source = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
const sha256 = (text, form) => createHash('sha256').update(text).digest(form);

const version = /^version = "(.*)"/m.exec(source('../../../Cargo.toml'))[1];
const style = source('style.css');
const script = ['elements.js', 'chosen.js', 'result.js', 'page.js'].map(source).join('\n');
const worker = `${readFileSync(`${generated}/verifier.js`, 'utf8')}\n${source('worker.js')}`;
const wasm = gzipSync(readFileSync(`${generated}/verifier_bg.wasm`), { level: 9 }).toString('base64');

// What is not named here is refused: connections, frames, pictures, forms, scripts and styles of another text.
const policy = [
  "default-src 'none'",
  `script-src 'sha256-${sha256(script, 'base64')}' 'wasm-unsafe-eval'`,
  `style-src 'sha256-${sha256(style, 'base64')}'`,
  'worker-src blob:',
  'img-src data:',
  "connect-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types walwarden-worker',
].join('; ');

const parts = { policy, version, style, script, worker, wasm };
for (const [name, text] of Object.entries(parts)) {
  if (/<\/(script|style)|<!--/i.test(text)) throw new Error(`${name} would end its element early`);
}
const whole = source('index.html').replace(/\{\{(\w+)\}\}/g, (_, name) => parts[name]);
writeFileSync(page, whole);
const zipped = gzipSync(whole, { level: 9 }).length;
console.log(`${page}: ${whole.length} characters, ${zipped} bytes zipped\nSHA-256 ${sha256(whole, 'hex')}`);
if (zipped > 400_000) throw new Error('the page must not exceed 400,000 bytes zipped');
