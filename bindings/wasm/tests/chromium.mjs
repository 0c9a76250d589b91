// A Chromium without a screen, in which every request is refused and noted.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');

export const VECTORS = join(root, 'spec/vectors');
export const TARGET = target;
export const PAGE = join(target, 'browser/walwarden-verifier.html');

/** Starts a browser; `close` ends it and removes what it left. */
export async function start() {
  const folder = mkdtempSync(join(tmpdir(), 'walwarden-page-'));
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      // Nothing listens there: whatever asks for an address fails.
      '--proxy-server=127.0.0.1:1', '--proxy-bypass-list=<-loopback>',
    ],
    acceptDownloads: true,
  });
  await context.setOffline(true);
  const close = async () => {
    await context.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { context, close };
}

/** Opens the page in a tab of its own. `requests` are the addresses asked for by it and its workers, `troubles` what went wrong unseen. */
export async function open(context) {
  const tab = await context.newPage();
  const requests = [];
  const troubles = [];
  const devtools = await context.newCDPSession(tab);
  await devtools.send('Network.enable');
  devtools.on('Network.requestWillBeSent', ({ request }) => requests.push(request.url));
  tab.on('request', (request) => requests.push(request.url()));
  tab.on('pageerror', (error) => troubles.push(String(error)));
  tab.on('console', (message) => troubles.push(message.text()));
  tab.on('dialog', (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await tab.goto(pathToFileURL(PAGE).href);
  return { tab, devtools, requests, troubles };
}

/** Drops files of the disk where the zone is, as a hand does. */
export async function drop({ tab, devtools }, ...files) {
  const { x, y, width, height } = await tab.locator('#drop').boundingBox();
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop']) {
    await devtools.send('Input.dispatchDragEvent', { type, x: x + width / 2, y: y + height / 2, data });
  }
}

/** The shown verdict, once there is one. */
export async function verdict({ tab }) {
  await tab.locator('#verdict').waitFor({ timeout: 120_000 });
  return tab.locator('#verdict').textContent();
}

/** The rows of a shown table, each the texts of its cells. */
export async function rows({ tab }, table) {
  return tab.locator(`${table} tr`).evaluateAll((found) => found.map((row) => [...row.cells].map((cell) => cell.textContent)));
}
