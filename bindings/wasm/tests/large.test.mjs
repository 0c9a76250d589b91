// A bundle that is larger than what a page may hold in memory: verified in pieces, cancelled, and replaced while it is read.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, afterEach, test } from 'node:test';

import { TARGET, drop, judge, launch, open, rows, verdict } from './chromium.mjs';

const DUMP_BYTES = 1_600_000_000;
const MIB = 1 << 20;

let browser;
let folder;
let bundle;
let page;

before(async () => {
  folder = mkdtempSync(join(TARGET, 'large-'));
  bundle = join(folder, 'large.evidence.tgz');
  const example = ['run', '--quiet', '--package', 'walwarden-verify', '--example', 'large_bundle', '--'];
  execFileSync('cargo', [...example, '1000', String(DUMP_BYTES), bundle], { stdio: 'inherit' });
  assert.ok(statSync(bundle).size > DUMP_BYTES);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  page = await open(browser);
});
afterEach(async () => {
  await page.context.close();
  assert.deepEqual(page.troubles, []);
});

test('1.6 GB are verified in bounded memory, with progress', async () => {
  const told = page.tab.evaluate(() => new Promise((done) => {
    const seen = new Set();
    const watch = new MutationObserver(() => seen.add(the('doing').textContent.split(':')[0]));
    watch.observe(the('doing'), { childList: true });
    new MutationObserver(() => the('verdict') && done([...seen])).observe(the('result'), { childList: true });
  }));
  await page.tab.evaluate(() => {
    const show = showReport;
    showReport = (file, done) => {
      globalThis.memoryBytes = done.memoryBytes;
      show(file, done);
    };
  });
  await drop(page, bundle, `${bundle}.pub.pem`);
  assert.equal(await verdict(page), 'verified');
  assert.deepEqual((await rows(page, '#facts')).find(([name]) => name === 'Dumps compared'), ['Dumps compared', '1']);
  assert.deepEqual(await told, ['Starting', 'Reading the bundle', 'Taking the SHA-256 of the bundle']);
  const ofVerifier = await page.tab.evaluate(() => globalThis.memoryBytes);
  assert.ok(ofVerifier < 32 * MIB, `the verifier took ${ofVerifier / MIB} MiB`);
  const ofTab = await peakMemory();
  assert.ok(ofTab < 384 * MIB, `the tab took ${ofTab / MIB} MiB`);
});

test('a run is cancelled, and leaves no verdict', async () => {
  await drop(page, bundle, `${bundle}.pub.pem`);
  await page.tab.getByText(/^Reading the bundle: /).waitFor();
  await page.tab.getByRole('button', { name: 'Cancel' }).click();
  await page.tab.getByText('Cancelled: nothing was verified.').waitFor();
  assert.equal(await page.tab.locator('#progress').isVisible(), false);
  assert.equal(await page.tab.locator('#verdict').count(), 0);
  await noWorker();
});

test('what is dropped while a bundle is read takes its place', async () => {
  await drop(page, bundle, `${bundle}.pub.pem`);
  await page.tab.getByText(/^Reading the bundle: /).waitFor();
  assert.equal(await judge(page, 'good/one-backup.evidence.tgz', 'keys/alpha.pub.pem'), 'verified');
  assert.match(await page.tab.locator('#result').textContent(), /one-backup\.evidence\.tgz/);
  await noWorker();
});

/** The worker ends, and with it the reading. */
async function noWorker() {
  for (const worker of page.tab.workers()) await worker.waitForEvent('close');
}

/** The most memory that a tab of the browser had in use so far, in bytes. */
async function peakMemory() {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const peaks = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => (
    Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))[1]) * 1024));
  assert.ok(peaks.length > 0);
  return Math.max(...peaks);
}
