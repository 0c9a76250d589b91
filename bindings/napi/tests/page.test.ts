// docs/node.md does what it says: its snippets run in order, with a real server and folder in the place of the examples'.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { folder, makeShop, startServer } from './database';
import { ROOT } from './vectors';

const page = readFileSync(join(ROOT, 'docs/node.md'), 'utf8');
const snippets = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, snippet]) => snippet ?? '');

test('every snippet runs', async () => {
  assert.ok(snippets.length >= 7 && snippets.length === page.split('```js').length - 1);
  const home = folder();
  mkdirSync(join(home, 'backups'));
  symlinkSync(join(__dirname, 'node_modules'), join(home, 'node_modules'));
  const server = await startServer();
  try {
    makeShop(server);
    const program = snippets
      .join('\n')
      .replaceAll('postgresql://ada@db.example.org', server.place)
      .replaceAll('/srv/backups', join(home, 'backups'));
    writeFileSync(join(home, 'page.mjs'), program);
    const env = { ...process.env, PATH: `${server.binDir}:${process.env['PATH'] ?? ''}` };
    const { status, stdout, stderr } = spawnSync(process.execPath, ['page.mjs'], { cwd: home, encoding: 'utf8', env });
    assert.equal(status, 0, stderr);
    for (const told of ['\nverified\n', 'Unavailable source-unreachable', 'shop_again []', ' completed\n']) {
      assert.ok(stdout.includes(told), `${told} is not in ${stdout}`);
    }
    assert.equal(server.sql('shop_again', 'select count(*) from orders'), '5000');
  } finally {
    await server.stop();
  }
});

test('the first snippet is ten lines', () => {
  assert.ok((snippets[0] ?? '').split('\n').filter((line) => line !== '').length <= 10);
});
