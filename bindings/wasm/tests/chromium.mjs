// A Chromium without a screen and without a network, and what a person does with the page in it.

import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../../..', import.meta.url));

export const TARGET = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
export const PAGE = join(TARGET, 'browser/walwarden-verifier.html');
export const VECTORS = join(root, 'spec/vectors');

/** Nothing listens at that proxy: a request that is made fails. */
export function launch() {
  const args = ['--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--proxy-server=127.0.0.1:1', '--proxy-bypass-list=<-loopback>'];
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
}

/**
 * Opens the page in a tab of its own. `requests` are the addresses that the tab and its workers ask for; `troubles` what a person
 * would not see: errors, lines of the console, dialogs.
 */
export async function open(browser, page = PAGE) {
  const context = await browser.newContext({ acceptDownloads: true });
  await context.setOffline(true);
  const [tab, requests, troubles] = [await context.newPage(), [], []];
  const devtools = await context.newCDPSession(tab);
  devtools.on('Network.requestWillBeSent', ({ request }) => requests.push(request.url));
  await devtools.send('Network.enable');
  context.on('request', (request) => requests.push(request.url()));
  tab.on('pageerror', (error) => troubles.push(String(error)));
  tab.on('console', (message) => troubles.push(message.text()));
  tab.on('dialog', (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await tab.goto(pathToFileURL(page).href);
  return { context, tab, devtools, requests, troubles };
}

/** Drops files of the disk on the page, as a hand does. */
export async function drop({ tab, devtools }, ...files) {
  await tab.locator('#drop').scrollIntoViewIfNeeded();
  const { x, y, width, height } = await tab.locator('#drop').boundingBox();
  const data = { items: [], files, dragOperationsMask: 1 };
  await tab.evaluate(() => {
    globalThis.dropped = new Promise((done) => addEventListener('drop', () => done(), { once: true }));
  });
  for (const type of ['dragEnter', 'dragOver', 'drop']) {
    await devtools.send('Input.dispatchDragEvent', { type, x: x + width / 2, y: y + height / 2, data });
  }
  await tab.evaluate(() => globalThis.dropped);
}

/** Drops files that lie in `spec/vectors`, and waits for the verdict. */
export async function judge(page, ...vectors) {
  await drop(page, ...vectors.map((file) => join(VECTORS, file)));
  return verdict(page);
}

/** The verdict, once it is shown. */
export async function verdict({ tab }) {
  return tab.locator('#verdict').textContent({ timeout: 120_000 });
}

/** The rows of a table that is shown, each the texts of its cells. */
export async function rows({ tab }, table) {
  return tab.locator(`${table} tr`).evaluateAll((found) => found.map((row) => [...row.cells].map((cell) => cell.textContent)));
}

/** The codes of the failed checks that are shown. */
export async function failedCodes(page) {
  return (await rows(page, '#checks')).filter(([outcome]) => outcome === 'failed').map(([, code]) => code);
}
