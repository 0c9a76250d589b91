// What a person sees who drops evidence on the page.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync, appendFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { PAGE, VECTORS, drop, failedCodes, judge, launch, open, rows, verdict } from './chromium.mjs';

const GOOD = 'good/one-backup.evidence.tgz';
const KEY = 'keys/alpha.pub.pem';
const FINGERPRINT = 'sha256:32558f0f07202169527fd12ef67178cedf42b65c6add1347db6a5b18432a1023';

let browser;
let folder;
let page;

before(async () => {
  browser = await launch();
  folder = mkdtempSync(join(tmpdir(), 'walwarden-page-'));
});
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  page = await open(browser);
});
afterEach(async () => {
  const { requests, troubles, context } = page;
  await context.close();
  assert.deepEqual(requests.filter((address) => !/^(file|blob|data):/.test(address)), [], 'the page asked for something');
  assert.deepEqual(troubles, []);
});

const file = (name, content) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

test('a bundle and its key, dropped together, are verified', async () => {
  assert.equal(await judge(page, GOOD, KEY), 'verified');
  assert.match(await page.tab.locator('#result').textContent(), /Level 2, asked 2\. Exit status of walwarden-verify: 0\./);
  assert.deepEqual((await rows(page, '#keys'))[1], [FINGERPRINT, '1', 'yes', 'no']);
  assert.deepEqual((await rows(page, '#facts'))[0], ['Organisation', 'acme']);
  assert.match(await page.tab.locator('#not-proven').textContent(), /That a backup can be restored: no restore drill passed\./);
  assert.match(await page.tab.locator('#text').textContent(), /^OK: audit chain intact: 6 events.*\nverified \(level 2, asked 2; 6 events/s);
});

test('a file is asked for twice at most: the page and its worker', async () => {
  await judge(page, GOOD, KEY);
  assert.deepEqual([...new Set(page.requests.map((address) => address.split(':')[0]))].sort(), ['blob', 'file']);
  assert.ok(page.requests.filter((address) => address.startsWith('file:')).every((address) => address.endsWith('/walwarden-verifier.html')));
});

test('evidence that contradicts itself is refused with its reason first', async () => {
  assert.match(await judge(page, 'bad/payload-changed-hash-kept.evidence.tgz', KEY), /^REFUSED: the evidence contradicts itself/);
  assert.ok((await failedCodes(page)).includes('chain-hash'));
  assert.equal((await rows(page, '#checks'))[1][0], 'failed');
});

test('what is no bundle is refused as malformed', async () => {
  await drop(page, file('notes.evidence.tgz', 'no bundle at all'), join(VECTORS, KEY));
  assert.equal(await verdict(page), 'REFUSED: malformed, or over a limit');
  assert.deepEqual(await failedCodes(page), ['bundle-gzip', 'level']);
});

test('what is none of the things listed takes no place', async () => {
  await judge(page, GOOD, KEY);
  const private_ = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
  for (const [name, content, told] of [
    ['notes.txt', 'Dear auditor', 'notes.txt begins like nothing that is listed here'],
    ['film\u202e.mp4', Buffer.alloc(5 << 20, 7), 'film\\u{202e}.mp4 begins like nothing'],
    ['nothing', '', 'nothing begins like nothing'],
    ['signing-key.pem', private_, 'signing-key.pem holds a private key'],
  ]) {
    await drop(page, file(name, content), join(VECTORS, 'keys/beta.pub.pem'));
    await page.tab.getByText(told).waitFor();
    assert.equal(await page.tab.locator('#verdict').count(), 0);
    assert.match(await page.tab.locator('#chosen').textContent(), /one-backup.*alpha\.pub\.pem/);
    assert.ok(!(await page.tab.locator('#chosen').textContent()).includes('beta'));
  }
  await page.tab.evaluate(() => {
    const gone = { arrayBuffer: () => Promise.reject(new DOMException('A requested file could not be read', 'NotFoundError')) };
    return sortFiles([{ name: 'evidence', size: 4096, slice: () => gone }]);
  });
  await page.tab.getByText('evidence cannot be read; a folder is no file').waitFor();
  await page.tab.locator('#verify').click();
  assert.equal(await verdict(page), 'verified');
});

test('a bundle is known by its beginning, whatever it is called', async () => {
  await drop(page, file('download', readFileSync(join(VECTORS, GOOD))), join(VECTORS, KEY));
  assert.equal(await verdict(page), 'verified');
});

test('under the key of somebody else the evidence is refused', async () => {
  assert.match(await judge(page, GOOD, 'keys/beta.pub.pem'), /^REFUSED/);
  assert.ok((await failedCodes(page)).includes('key-pin'));
});

test('without a key nothing runs until it is asked for, and then nothing is decided', async () => {
  await drop(page, join(VECTORS, GOOD));
  await page.tab.getByText('Now the public key').waitFor();
  assert.equal(await page.tab.locator('#verdict').count(), 0);
  await page.tab.locator('#verify').click();
  assert.match(await verdict(page), /^UNDECIDED/);
});

test('the key may come after the bundle, and a fingerprint stands for a key', async () => {
  await drop(page, join(VECTORS, GOOD));
  await page.tab.getByText('Now the public key').waitFor();
  await drop(page, join(VECTORS, KEY));
  assert.equal(await verdict(page), 'verified');
  await page.tab.locator('#chosen-publicKeys').getByRole('button', { name: 'Remove' }).click();
  assert.equal(await page.tab.locator('#verdict').count(), 0, 'a verdict over other trust stayed');
  await page.tab.locator('#more summary').click();
  await page.tab.locator('#fingerprints').fill(`${FINGERPRINT}\n`);
  await page.tab.locator('#verify').click();
  assert.equal(await verdict(page), 'verified');
});

test('a witness policy finds its place, and level 3 can be asked', async () => {
  assert.equal(await judge(page, 'good/cosigned-by-two.evidence.tgz', KEY, 'policies/two-of-three.policy'), 'verified');
  assert.match(await page.tab.locator('#chosen-witnessPolicy').textContent(), /two-of-three\.policy/);
  await page.tab.locator('#more summary').click();
  await page.tab.locator('#level').selectOption('3');
  assert.equal(await page.tab.locator('#verdict').count(), 0, 'a verdict over another level stayed');
  await page.tab.locator('#verify').click();
  assert.equal(await verdict(page), 'verified');
  assert.match(await page.tab.locator('#result').textContent(), /Level 3, asked 3\./);
});

test('a kept checkpoint finds its place, and reaches level 4', async () => {
  assert.equal(await judge(page, 'good/two-backups.evidence.tgz', KEY, 'kept/pair-6.checkpoint'), 'verified');
  assert.match(await page.tab.locator('#result').textContent(), /Level 4, asked 2\./);
});

test('an audit policy is read, and its demands are judged', async () => {
  const policy = { type: 'walwarden.audit-policy', formatVersion: 1, minBackups: 2 };
  await drop(page, file('audit.json', JSON.stringify(policy)), join(VECTORS, GOOD), join(VECTORS, KEY));
  assert.match(await verdict(page), /^REFUSED/);
  assert.deepEqual(await failedCodes(page), ['policy-minimum']);
});

test('ages are taken of a time that is typed, and the result says so', async () => {
  const policy = { type: 'walwarden.audit-policy', formatVersion: 1, maxBackupAgeHours: 1 };
  await drop(page, file('ages.json', JSON.stringify(policy)), join(VECTORS, GOOD), join(VECTORS, KEY));
  await verdict(page);
  assert.ok((await failedCodes(page)).includes('policy-age'));
  await page.tab.locator('#more summary').click();
  await page.tab.locator('#as-of').fill('2026-11-21T00:00:00.000Z');
  await page.tab.locator('#verify').click();
  await verdict(page);
  assert.deepEqual((await rows(page, '#facts')).at(-1), ['Ages taken as of', '2026-11-21T00:00:00.000Z']);
});

test('a bundle with its key begins anew; a bundle alone keeps the keys', async () => {
  await judge(page, GOOD, 'keys/beta.pub.pem');
  assert.equal(await judge(page, GOOD, KEY), 'verified');
  assert.match(await page.tab.locator('#chosen-publicKeys td').first().textContent(), /^alpha\.pub\.pem[^,]*, \d+ bytes Remove$/);
  assert.equal(await judge(page, 'good/two-backups.evidence.tgz'), 'verified');
});

test('two bundles at once are not judged', async () => {
  await drop(page, join(VECTORS, GOOD), join(VECTORS, 'good/two-backups.evidence.tgz'), join(VECTORS, KEY));
  await page.tab.getByText('Only one of these can be the bundle').waitFor();
  assert.equal(await page.tab.locator('#verdict').count(), 0);
});

test('a key that is called a bundle is not trusted', async () => {
  copyFileSync(join(VECTORS, KEY), join(folder, 'part.evidence.tgz'));
  await drop(page, join(folder, 'part.evidence.tgz'));
  await page.tab.getByText('Now the public key').waitFor();
  assert.equal(await page.tab.locator('#chosen-publicKeys button').count(), 0);
});

test('a key that is none is named, and nothing is verified', async () => {
  await drop(page, join(VECTORS, GOOD), file('key.pem', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n'));
  assert.equal(await verdict(page), 'Nothing was verified');
  assert.match(await page.tab.locator('#trouble').textContent(), /^public key: /);
});

test('a key that is no text is named', async () => {
  await drop(page, join(VECTORS, GOOD), file('key.pem', Buffer.from('-----BEGIN PUBLIC KEY-----\n\xff\n', 'latin1')));
  assert.equal(await verdict(page), 'Nothing was verified');
  assert.equal(await page.tab.locator('#trouble').textContent(), 'key.pem: this is no text in UTF-8');
});

test('an authority of timestamps is refused, with what to do', async () => {
  const certificate = file('tsa.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  await drop(page, join(VECTORS, GOOD), join(VECTORS, KEY), certificate);
  assert.equal(await verdict(page), 'Nothing was verified');
  assert.equal(await page.tab.locator('#trouble').textContent(), 'authority: this verifier was built without timestamps');
  assert.match(await page.tab.locator('#result').textContent(), /--tsa-ca/);
});

test('names of the evidence are text', async () => {
  await drop(page, file('markup.evidence.tgz', gzipSync(tarOf('<svg/onload=alert(1)>'))), join(VECTORS, KEY));
  assert.match(await verdict(page), /^REFUSED: malformed/);
  assert.match(await page.tab.locator('#checks').textContent(), /<svg\/onload=alert\(1\)>/);
  assert.equal(await page.tab.locator('#result svg').count(), 0);
});

test('a report could say anything: markup does nothing, and what hides text is shown escaped', async () => {
  await page.tab.evaluate(() => {
    const hostile = '<img src=x onerror=alert(1)>\u202e<script>alert(2)</script>';
    const report = {
      level: hostile, asked: hostile, bundleSha256: hostile, asOf: hostile, orgId: hostile, databaseId: hostile, chainId: hostile, events: hostile,
      checks: [{ status: 'failed', code: hostile, object: hostile, detail: hostile }], untold: [{ status: 'failed', code: hostile, count: hostile }],
      keys: [{ keyId: hostile, fromSeq: hostile, pinned: hostile, revokedSeq: hostile }], witnesses: [{ name: hostile, at: hostile }],
      notProven: [{ code: hostile, text: hostile }],
    };
    const json = new TextEncoder().encode(JSON.stringify(report));
    showReport(new File([''], hostile), { exit: 1, verdict: hostile, json, text: '', html: hostile });
  });
  const shown = await page.tab.locator('#result').textContent();
  assert.equal(shown.split('<img src=x onerror=alert(1)>\\u{202e}<script>alert(2)</script>').length - 1, 21);
  assert.ok(!shown.includes('\u202e'));
  assert.equal(await page.tab.locator('#result img, #result script').count(), 0);
});

test('names of chosen files are text, too', async () => {
  await drop(page, file('<b>\u202efdp.evidence.tgz', readFileSync(join(VECTORS, GOOD))), join(VECTORS, KEY));
  assert.equal(await verdict(page), 'verified');
  const shown = await page.tab.locator('body').textContent();
  assert.ok(shown.includes('<b>\\u{202e}fdp.evidence.tgz') && !shown.includes('\u202e'));
  assert.equal(await page.tab.locator('#chosen b, #result b').count(), 0);
});

test('the reports that are saved are those of the verifier', async () => {
  await judge(page, GOOD, KEY);
  const json = await saved('Save the report as JSON');
  assert.equal(json.name, 'one-backup.evidence.tgz.report.json');
  const report = JSON.parse(json.text);
  assert.deepEqual([report.type, report.exit, report.level], ['walwarden.verification-report', 0, 2]);
  assert.match(await page.tab.locator('#result').textContent(), new RegExp(report.bundleSha256));
  assert.ok(Math.abs(Date.parse(report.verifiedAt) - Date.now()) < 60_000);
  const { text } = await saved('Save the report as a page');
  assert.ok(text.startsWith('<!DOCTYPE html>') && text.includes('class="verdict good">verified</p>') && !text.includes('<script'));
  assert.ok(text.includes(report.bundleSha256));
});

async function saved(button) {
  const [download] = await Promise.all([page.tab.waitForEvent('download'), page.tab.getByRole('button', { name: button }).click()]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), 'utf8') };
}

test('a file that changed after it was chosen is not verified, and it is said what to do', async () => {
  const bundle = join(folder, 'changing.evidence.tgz');
  copyFileSync(join(VECTORS, GOOD), bundle);
  await drop(page, bundle);
  await page.tab.getByText('Now the public key').waitFor();
  appendFileSync(bundle, 'more');
  utimesSync(bundle, 1, 1);
  await page.tab.locator('#verify').click();
  assert.equal(await verdict(page), 'Nothing was verified');
  assert.match(await page.tab.locator('#trouble').textContent(), /^bundle: /);
  assert.match(await page.tab.locator('#result').textContent(), /changed, moved or removed after you chose it/);
});

test('with the keyboard alone', async () => {
  await page.tab.bringToFront();
  await page.tab.keyboard.press('Tab');
  assert.equal(await page.tab.evaluate(() => document.activeElement.id), 'files');
  const choosing = page.tab.waitForEvent('filechooser');
  await page.tab.evaluate(() => {}); // the browser listens by then
  await page.tab.keyboard.press('Enter');
  const chooser = await choosing;
  await chooser.setFiles([join(VECTORS, GOOD), join(VECTORS, KEY)]);
  assert.equal(await verdict(page), 'verified');
  assert.equal(await page.tab.evaluate(() => document.activeElement.id), 'result');
});

test('every control has a name', async () => {
  await judge(page, GOOD, KEY);
  await page.tab.locator('#more summary').click();
  const nameless = await page.tab.locator('input, select, textarea, button').evaluateAll((controls) => controls
    .filter((control) => !(control.ariaLabel || control.textContent.trim() || [...(control.labels ?? [])].some((label) => label.textContent.trim())))
    .map((control) => control.outerHTML));
  assert.deepEqual(nameless, []);
});

test('on paper there is the report without the form', async () => {
  await judge(page, GOOD, KEY);
  await page.tab.emulateMedia({ media: 'print' });
  assert.ok(await page.tab.locator('#verdict').isVisible());
  assert.ok(!(await page.tab.locator('#request').isVisible()));
});

test('a dark screen gets a dark page', async () => {
  const ground = () => page.tab.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.tab.emulateMedia({ colorScheme: 'dark' });
  assert.deepEqual([light, await ground()], ['rgb(255, 255, 255)', 'rgb(22, 24, 27)']);
});

test('the policy of the page refuses connections, other scripts, and markup made of text', async () => {
  const refused = await page.tab.evaluate(async () => {
    const refusals = [];
    addEventListener('securitypolicyviolation', ({ effectiveDirective }) => refusals.push(effectiveDirective));
    await fetch('http://127.0.0.1:9/').catch(() => {});
    document.body.append(Object.assign(document.createElement('img'), { src: 'http://127.0.0.1:9/' }));
    document.body.append(Object.assign(document.createElement('iframe'), { src: 'http://127.0.0.1:9/' }));
    try {
      document.body.innerHTML = '<b>';
    } catch {
      refusals.push('markup');
    }
    await new Promise((done) => setTimeout(done, 200));
    return [...new Set(refusals)].sort();
  });
  assert.deepEqual(refused, ['connect-src', 'frame-src', 'img-src', 'markup', 'require-trusted-types-for']);
  // The browser tells of each refusal, and what it refused.
  page.requests.length = 0;
  page.troubles.length = 0;
});

test('a failure inside the verifier is told, and says nothing about the evidence', async () => {
  // What the page never sends: a key that is no text.
  await page.tab.evaluate(() => {
    trust = async () => ({ publicKeys: [5] });
  });
  await drop(page, join(VECTORS, GOOD), join(VECTORS, KEY));
  assert.equal(await verdict(page), 'Nothing was verified');
  assert.match(await page.tab.locator('#trouble').textContent(), /^The verifier stopped: array contains/);
  assert.match(await page.tab.locator('#result').textContent(), /says nothing about the evidence/);
});

test('a damaged page says so', async () => {
  const whole = readFileSync(PAGE, 'utf8');
  const damaged = file('damaged.html', whole.replace(/(id="wasm">.{2000}).{1000}/, '$1'));
  assert.notEqual(readFileSync(damaged, 'utf8').length, whole.length);
  await page.context.close();
  page = await open(browser, damaged);
  await drop(page, join(VECTORS, GOOD), join(VECTORS, KEY));
  assert.equal(await verdict(page), 'Nothing was verified');
  assert.match(await page.tab.locator('#trouble').textContent(), /^The verifier stopped: /);
});

/** A tar with one empty file of that name. */
function tarOf(name) {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('00000000000\0', 124);
  header.write('00000000000\0', 136);
  header.fill(' ', 148, 156);
  header.write('0', 156);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, Buffer.alloc(1024)]);
}
