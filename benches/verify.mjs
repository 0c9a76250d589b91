// A plain Node implementation of the chain's checks, for comparison: read the container, parse the rows, hold their text
// to its canonical form, check links, hashes and the Merkle root, and the digest in the signed list.
//
// node benches/verify.mjs BUNDLE

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

function untar(tar) {
  const files = new Map();
  for (let at = 0; tar[at] !== 0; ) {
    const name = tar.toString('latin1', at, tar.indexOf(0, at));
    const size = parseInt(tar.toString('latin1', at + 124, at + 135), 8);
    files.set(name, tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${members.join(',')}}`;
}

function check(condition, what) {
  if (!condition) throw new Error(what);
}

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);
const start = process.hrtime.bigint();
const files = untar(gunzipSync(readFileSync(process.argv[2])));
const text = files.get('audit_events.json');
const rows = JSON.parse(text.toString());
let [prevHash, at, place] = ['0'.repeat(64), '', 1];
const peaks = [];
rows.forEach((row, index) => {
  check(row.seq === index + 1 && row.prevHash === prevHash && row.at >= at, `row ${index + 1}`);
  const bytes = canonical(row);
  check(text.toString('utf8', place, place + bytes.length) === bytes, `row ${index + 1} is not canonical`);
  place += bytes.length + 1;
  const { jobId, kind, payload } = row;
  check(sha256(prevHash, canonical({ at: row.at, jobId, kind, payload })).toString('hex') === row.hash, `hash ${row.seq}`);
  let node = sha256(LEAF, bytes);
  for (let size = index; size % 2 === 1; size = (size - 1) / 2) node = sha256(NODE, peaks.pop(), node);
  peaks.push(node);
  [prevHash, at] = [row.hash, row.at];
});
const root = peaks.reduceRight((right, left) => sha256(NODE, left, right));
check(files.get('checkpoint').toString().split('\n')[2] === root.toString('base64'), 'root');
const list = JSON.parse(Buffer.from(JSON.parse(files.get('bundle.json').toString()).payload, 'base64').toString());
for (const { name, digest } of list.subject) check(sha256(files.get(name)).toString('hex') === digest.sha256, name);
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
console.log(`node: ${rows.length} events: ${seconds.toFixed(1)} s, ${Math.round(rows.length / seconds)} events/s`);
