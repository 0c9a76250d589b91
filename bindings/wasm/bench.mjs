// How large the page is, and how fast it verifies in Chromium: many bytes, and many events. Prints rows for benches/BASELINE.md.
//
// node bench.mjs      after ./just wasm-page

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { PAGE, TARGET, drop, launch, open, verdict } from './tests/chromium.mjs';

const folder = mkdtempSync(join(TARGET, 'large-'));
const browser = await launch();
try {
  console.log(`${browser.version()}; page: ${gzipSync(readFileSync(PAGE), { level: 9 }).length} bytes zipped`);
  const bytes = await measure(1000, 400_000_000);
  console.log(`| a dump of ${(bytes.size / 1e6).toFixed(0)} MB | ${(bytes.size / 1e6 / bytes.verified).toFixed(0)} MB/s | ${said(bytes)}`);
  const events = await measure(400_000, 1000);
  console.log(`| ${events.events} events, ${(events.size / 1e6).toFixed(0)} MB | ${Math.round(events.events / events.verified)} events/s | ${said(events)}`);
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}

/** The best of three, in seconds: from the worker's start to the report, and to the end of the digest that comes after. */
async function measure(events, dumpBytes) {
  const bundle = join(folder, 'large.evidence.tgz');
  const example = ['run', '--quiet', '--package', 'walwarden-verify', '--example', 'large_bundle', '--'];
  execFileSync('cargo', [...example, String(events), String(dumpBytes), bundle], { stdio: 'inherit' });
  const runs = [];
  for (let round = 0; round < 3; round += 1) runs.push(await verifyOnce(bundle));
  return { size: statSync(bundle).size, ...runs.sort((one, other) => one.verified - other.verified)[0] };
}

async function verifyOnce(bundle) {
  const page = await open(browser);
  // The page tells what it does; a person could hold a watch beside it.
  await page.tab.evaluate(() => {
    globalThis.times = {};
    const note = () => {
      times[the('doing').textContent.split(':')[0]] ??= performance.now();
    };
    new MutationObserver(note).observe(the('doing'), { childList: true });
    const show = showReport;
    showReport = (file, done) => {
      times.done = performance.now();
      times.events = JSON.parse(new TextDecoder().decode(done.json)).events;
      show(file, done);
    };
  });
  await drop(page, bundle, `${bundle}.pub.pem`);
  const word = await verdict(page);
  if (word !== 'verified') throw new Error(word);
  const times = await page.tab.evaluate(() => times);
  await page.context.close();
  const [from, digest] = [times['Reading the bundle'], times['Taking the SHA-256 of the bundle']];
  return { events: times.events, verified: (digest - from) / 1000, whole: (times.done - from) / 1000 };
}

function said({ verified, whole }) {
  return `${verified.toFixed(1)} s, ${whole.toFixed(1)} s with the bundle's own SHA-256 |`;
}
