// Every case of spec/vectors/cases.json, judged by the page's own worker in a browser. What came out is kept in
// target/parity/wasm.jsonl, to be held against the other languages: bindings/parity.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { TARGET, VECTORS, launch, open } from './chromium.mjs';

const ABILITIES = []; // timestamps, which take AWS-LC, are not among them
const ROLES = {
  pubkeys: 'publicKeys', witnessPolicy: 'witnessPolicy', policy: 'policy', keptCheckpoint: 'keptCheckpoint', authorities: 'authorities',
};
const NOW = '2030-01-01T00:00:00.000Z'; // in all languages
const TEXTS = { fingerprints: 'fingerprints', witnesses: 'witnesses', asOf: 'as-of' };

let browser;

before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test('every case has its outcome', async (t) => {
  const cases = JSON.parse(readFileSync(join(VECTORS, 'cases.json'), 'utf8'));
  assert.ok(cases.length > 600);
  const unable = cases.filter(({ requires }) => requires && ![requires].flat().every((ability) => ABILITIES.includes(ability)));
  for (const { name, requires } of unable) t.diagnostic(`not run, for want of ${requires}: ${name}`);
  const run = cases.filter((one) => !unable.includes(one));
  const notRun = unable.map(({ name, requires }) => ({ name, notRun: requires }));

  const { tab, requests, troubles } = await open(browser);
  const outcomes = [];
  for (let at = 0; at < run.length; at += 50) {
    outcomes.push(...await tab.evaluate(judgeAll, run.slice(at, at + 50).map(asked)));
  }
  const lines = run.map((one, index) => outcome(one, outcomes[index]));
  const flaws = run.flatMap((one, index) => flawsOf(one, lines[index]));
  assert.deepEqual(flaws, []);
  assert.deepEqual(troubles, []);
  assert.ok(requests.every((address) => /^(file|blob):/.test(address)));

  mkdirSync(join(TARGET, 'parity'), { recursive: true });
  writeFileSync(join(TARGET, 'parity/wasm.jsonl'), [...lines, ...notRun].map((line) => `${JSON.stringify(line)}\n`).join(''));
});

/** A case as the page is asked: files as they would be chosen, texts as they would be typed. */
function asked({ name, file, args }) {
  const known = [...Object.keys(ROLES), ...Object.keys(TEXTS), 'level'];
  const unknown = Object.keys(args).filter((arg) => !known.includes(arg) && args[arg] !== null && args[arg].length !== 0);
  assert.deepEqual(unknown, [], `${name}: the page takes no such argument`);
  const content = (path) => ({ name: path.split('/').at(-1), base64: readFileSync(join(VECTORS, path)).toString('base64') });
  const files = Object.entries(ROLES).map(([arg, role]) => [role, [args[arg] ?? []].flat().map(content)]);
  const texts = Object.entries(TEXTS).map(([arg, id]) => [id, [args[arg] ?? []].flat().join('\n')]);
  return {
    bundle: content(file),
    files,
    texts,
    level: args.level ?? null,
    now: Date.parse(NOW),
  };
}

/** In the page: fills the form, and has a worker judge. */
async function judgeAll(cases) {
  const fileOf = ({ name, base64 }) => new File([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))], name);
  const module = await verifier;
  const outcomes = [];
  for (const { bundle, files, texts, level, now } of cases) {
    for (const [role, contents] of files) chosen[role] = contents.map(fileOf);
    for (const [id, text] of texts) the(id).value = text;
    const trusted = await trust().catch((error) => error);
    if (trusted instanceof Error) {
      outcomes.push({ unusable: trusted.message });
      continue;
    }
    const worker = new Worker(workerAddress());
    const said = await new Promise((resolve) => {
      worker.onmessage = ({ data }) => data.progress || resolve(data);
      worker.onerror = ({ message }) => resolve({ broken: message });
      worker.postMessage({ module, file: fileOf(bundle), trust: { ...trusted, level: level ?? undefined }, now });
    });
    worker.terminate();
    if (said.done) outcomes.push({ exit: said.done.exit, json: new TextDecoder().decode(said.done.json) });
    else outcomes.push(said);
  }
  return outcomes;
}

/** The line that is kept. The worker names the bundle's digest in its report, which the verifier alone does not. */
function outcome({ name }, said) {
  assert.ok(!said.broken, `${name}: ${said.broken}`);
  if (said.unusable) return { name, exit: 2, level: null, codes: [], reportSha256: null };
  const report = JSON.parse(said.json);
  assert.equal(canonical(report), said.json, `${name}: the report is not canonical`);
  assert.match(report.bundleSha256, /^[0-9a-f]{64}$/);
  const failed = report.checks.filter(({ status }) => status === 'failed').map(({ code }) => code);
  const json = canonical({ ...report, bundleSha256: null });
  return {
    name,
    exit: said.exit,
    level: report.level,
    codes: [...new Set(failed)].sort(),
    reportSha256: createHash('sha256').update(json).digest('hex'),
  };
}

function flawsOf({ name, exit, level, codes }, found) {
  const flaws = codes.filter((code) => !found.codes.includes(code)).map((code) => `${name}: ${code} does not fail`);
  if (found.exit !== exit) flaws.push(`${name}: exit is ${found.exit}, expected ${exit}`);
  if (level !== null && found.level !== level) flaws.push(`${name}: level is ${found.level}, expected ${level}`);
  return flaws;
}

/** RFC 8785, which says what JavaScript does. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}
