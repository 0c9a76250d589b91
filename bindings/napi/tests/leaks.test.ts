// Work that is done again and again leaves nothing behind.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { verify } from '@walwarden/verifier';
import { WalwardenError, type Event } from 'walwarden-cli';

import { MapStorage, makeShop, nodeSigner, openEngine, startServer } from './database';
import { ALPHA, GOOD } from './vectors';

// A minute with WALWARDEN_LEAK_SECONDS=60.
const SECONDS = Number(process.env['WALWARDEN_LEAK_SECONDS'] ?? 8);

/** Bytes of this process in memory. */
async function resident(): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.();
    // What the collector has found is finalised in turns of their own.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().rss;
}

test('a thousand verifications', async () => {
  const bytes = readFileSync(GOOD);
  const rounds = async (count: number) => {
    for (let round = 0; round < count; round += 1) {
      const report = await verify(bytes, { publicKeys: [ALPHA] });
      assert.equal(report.findings.length > 0 && report.toJson().length > 0, true);
    }
    return resident();
  };
  const warm = await rounds(200);
  const after = await rounds(1000);
  assert.ok(after - warm < 24 * 2 ** 20, `${warm} bytes became ${after}`);
});

test('backups for a while', async (context) => {
  const server = await startServer();
  makeShop(server);
  const engine = await openEngine(server, { signer: nodeSigner() });
  let number = 0;
  // Good ones and such that fail, with signer, storage and listener in JavaScript.
  const rounds = async (seconds: number) => {
    const until = performance.now() + 1000 * seconds;
    const first = number;
    for (; performance.now() < until; number += 1) {
      const storage = new MapStorage();
      const events: Event[] = [];
      const fails = number % 4 === 3;
      if (fails) {
        storage.upload = () => {
          throw new WalwardenError('storage-full', 'no room');
        };
      }
      // Each has a chain of its own: the engine reads a chain whole.
      const work = engine.backup(`shop-${number}`, server.dsn('shop'), storage, { onEvent: (event) => events.push(event) });
      if (fails) await assert.rejects(work, { code: 'storage-full' });
      else await work;
      assert.ok(events.length > 0);
    }
    return number - first;
  };
  await rounds(SECONDS / 2);
  const warm = await resident();
  const done = await rounds(SECONDS);
  const grown = (await resident()) - warm;
  context.diagnostic(`${done} backups: ${(grown / 2 ** 20).toFixed(1)} MiB more`);
  assert.ok(done >= 4 && grown < 24 * 2 ** 20, `${done} backups: ${grown} bytes more`);
  await server.stop();
});
