import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';

import * as engine from 'walwarden-cli';
import { WalwardenError, verify, version, type Report, type Trust } from '@walwarden/verifier';

import { ALPHA, CASES, GOOD, NOW, ROOT, VECTORS, trust, type Case } from './vectors';

/** The line of a case in the table of all languages. */
async function outcome(one: Case) {
  let report: Report;
  try {
    report = await verify(join(VECTORS, one.file), trust(one));
  } catch (error) {
    assert.ok(error instanceof WalwardenError, String(error));
    return { name: one.name, exit: error.exit, level: null, codes: [], reportSha256: null };
  }
  const reportSha256 = createHash('sha256').update(report.toJson()).digest('hex');
  const codes = [...new Set(report.failures.map(({ code }) => code))].sort();
  return { name: one.name, exit: report.exit, level: report.level, codes, reportSha256 };
}

test('every vector ends as it should', async () => {
  const lines = [];
  for (const one of CASES) {
    const found = await outcome(one);
    assert.equal(found.exit, one.exit, one.name);
    assert.ok(one.level === null || one.level === found.level, one.name);
    for (const code of one.codes) assert.ok((found.codes as string[]).includes(code), `${one.name}: ${code}`);
    lines.push(`${JSON.stringify(found)}\n`);
  }
  assert.ok(lines.length > 600);
  const folder = process.env['WALWARDEN_PARITY'] ?? join(ROOT, 'target/parity');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'node.jsonl'), lines.join(''));
});

test('a report is readable', async () => {
  const report = await verify(readFileSync(GOOD), { publicKeys: [ALPHA], now: NOW });
  assert.deepEqual([report.exit, report.level, report.asked, report.verdict], [0, 2, 2, 'verified']);
  assert.match(String(report), /^OK: /);
  assert.deepEqual(report.failures, []);
  assert.ok(report.findings.length > 0 && report.notProven.length > 0);
  assert.deepEqual(report.keys.map(({ pinned }) => pinned), [true]);
  assert.equal((JSON.parse(report.toJson().toString()) as { verifiedAt: string }).verifiedAt, NOW);
  assert.match(report.toHtml(), /^<!/);
  assert.match(inspect(report), /^Report \{[^]*verdict: 'verified'/);
});

test('what is wrong is in the report', async () => {
  const damaged = readFileSync(GOOD);
  const middle = damaged.length >> 1;
  damaged[middle] = (damaged[middle] ?? 0) ^ 1;
  for (const bundle of [damaged, new Uint8Array(), Buffer.from('\x1f\x8b nonsense', 'latin1')]) {
    const report = await verify(bundle, { publicKeys: [ALPHA] });
    assert.ok([1, 3].includes(report.exit) && report.level === null && report.failures.length > 0);
  }
  assert.equal((await verify(GOOD)).exit, 4);
});

test('what cannot be used is refused', async () => {
  const refusals: Array<[string | Uint8Array, unknown, string]> = [
    [GOOD, { publicKeys: ['no key'] }, 'argument-invalid'],
    [GOOD, { level: 7 }, 'argument-invalid'],
    [GOOD, { level: 256 }, 'argument-invalid'],
    [GOOD, { level: -1 }, 'argument-invalid'],
    [GOOD, { level: 1.5 }, 'argument-invalid'],
    [GOOD, { level: '2' }, 'argument-invalid'],
    [GOOD, { now: 'yesterday' }, 'argument-invalid'],
    [GOOD, { publicKeys: ALPHA }, 'argument-invalid'],
    [GOOD, { policy: 'text' }, 'argument-invalid'],
    [GOOD, { levle: 4 }, 'argument-invalid'],
    [GOOD, { publicKeys: [readFileSync(GOOD)] }, 'argument-invalid'],
    [GOOD, { signal: true }, 'argument-invalid'],
    [GOOD, null, 'argument-invalid'],
    [7 as unknown as string, {}, 'argument-invalid'],
    ['/does/not/exist', {}, 'file-failed'],
  ];
  for (const [bundle, brought, code] of refusals) {
    await assert.rejects(verify(bundle, brought as Trust), (error) => {
      assert.ok(error instanceof WalwardenError && error instanceof Error, String(error));
      assert.deepEqual([error.code, error.kind, error.exit, error.retryable], [code, 'Invalid', 2, false]);
      assert.ok(error.message.length < 200 && error.message && error.nextAction && error.name === 'WalwardenError');
      return true;
    });
  }
});

test('a verification that is stopped is rejected', async () => {
  const stop = new AbortController();
  const warnings: Error[] = [];
  process.on('warning', (warning) => warnings.push(warning));
  // More than there are threads for: the last has not begun.
  const begun = Array.from({ length: 200 }, () => verify(GOOD, { publicKeys: [ALPHA], signal: stop.signal }));
  stop.abort();
  const [last] = (await Promise.allSettled(begun)).slice(-1);
  const [late] = await Promise.allSettled([verify(GOOD, { publicKeys: [ALPHA], signal: AbortSignal.abort() })]);
  for (const ended of [last, late]) {
    const error: unknown = ended?.status === 'rejected' && ended.reason;
    assert.ok(error instanceof WalwardenError, String(error));
    assert.deepEqual([error.code, error.kind, error.exit], ['cancelled', 'Cancelled', 4]);
  }
  assert.equal((await verify(GOOD, { publicKeys: [ALPHA] as const, signal: new AbortController().signal })).exit, 0);
  assert.deepEqual(warnings, []);
});

test('a worker that ends while it verifies leaves the others as they are', async () => {
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { verify } = require(workerData.module);
    for (let number = 0; number < 200; number += 1) void verify(workerData.bundle, { publicKeys: [workerData.key] });
    parentPort.postMessage('begun');`;
  for (let round = 0; round < 5; round += 1) {
    const module = require.resolve('@walwarden/verifier');
    const worker = new Worker(program, { eval: true, workerData: { module, bundle: GOOD, key: ALPHA } });
    await once(worker, 'message');
    await worker.terminate();
  }
  assert.equal((await verify(GOOD, { publicKeys: [ALPHA] })).exit, 0);
});

test('demands count however an object has them', async () => {
  const demand = { level: 4 };
  class Options {
    publicKeys = [ALPHA];
    get level() {
      return 4;
    }
  }
  const hidden = Object.defineProperty({ publicKeys: [ALPHA] }, 'level', { value: 4, enumerable: false });
  for (const options of [Object.assign(Object.create(demand), { publicKeys: [ALPHA] }), new Options(), hidden, Object.freeze({ publicKeys: [ALPHA], ...demand })]) {
    assert.equal((await verify(GOOD, options as Trust)).exit, 4);
  }
  for (const options of [new Map([['level', 4]]), Object.create({ levle: 4 })]) {
    await assert.rejects(verify(GOOD, options as Trust), { code: 'argument-invalid' });
  }
  assert.equal((await verify(GOOD, { publicKeys: [ALPHA], policy: null, signal: undefined } as unknown as Trust)).exit, 0);
});

test('the package with the engine verifies, too', async () => {
  const [one, other] = [await engine.verify(GOOD, { publicKeys: [ALPHA], now: NOW }), await verify(GOOD, { publicKeys: [ALPHA], now: NOW })];
  assert.deepEqual(one.toJson(), other.toJson());
  assert.equal(engine.version, version);
  assert.match(version, /^\d+\.\d+\.\d+$/);
});

test('a hundred verifications at once leave the event loop free', async (context) => {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 5);
  delays.enable();
  const started = performance.now();
  const reports = await Promise.all(Array.from({ length: 100 }, () => verify(GOOD, { publicKeys: [ALPHA] })));
  const elapsed = performance.now() - started;
  delays.disable();
  clearInterval(timer);
  assert.ok(reports.every(({ exit }) => exit === 0));
  context.diagnostic(`p99 of the event loop's delay: ${(delays.percentile(99) / 1e6).toFixed(1)} ms`);
  assert.ok(ticks >= elapsed / 100, `${ticks} ticks in ${elapsed} ms`);
});
