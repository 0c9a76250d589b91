// Both commands, as npm installs them.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';

import { folder, makeShop, startServer } from './database';
import { ALPHA_FILE, GOOD, VECTORS } from './vectors';

const BIN = join(__dirname, 'node_modules/.bin');

function run(command: string, args: string[], env: Record<string, string> = {}) {
  return spawnSync(join(BIN, command), args, { encoding: 'utf8', env: { ...process.env, ...env } });
}

test('walwarden-verify', () => {
  const good = run('walwarden-verify', ['--bundle', GOOD, '--pubkey', ALPHA_FILE]);
  assert.deepEqual([good.status, good.stderr], [0, '']);
  assert.match(good.stdout, /^OK: .*\nverified \(level 2/s);
  const report = run('walwarden-verify', ['--bundle', GOOD, '--pubkey', ALPHA_FILE, '--json']);
  assert.equal((JSON.parse(report.stdout) as { exit: number }).exit, 0);
  assert.equal(run('walwarden-verify', ['--bundle', GOOD]).status, 4);
  assert.equal(run('walwarden-verify', ['--bundle', '/does/not/exist', '--pubkey', ALPHA_FILE]).status, 2);
  assert.equal(run('walwarden-verify', ['--sideways']).status, 2);
  assert.match(run('walwarden-verify', ['--version']).stdout, /^walwarden-verify \d/);
});

test('a long report reaches a pipe whole', () => {
  const judged = readdirSync(join(VECTORS, 'good')).filter((name) => name.endsWith('.tgz'));
  assert.ok(judged.length > 5);
  for (const name of judged) {
    const { stdout } = run('walwarden-verify', ['--bundle', join(VECTORS, 'good', name), '--pubkey', ALPHA_FILE, '--json']);
    assert.ok(stdout.endsWith('}\n') && JSON.parse(stdout));
  }
});

test('walwarden backs up, proves and restores', async () => {
  const server = await startServer();
  try {
    makeShop(server);
    const home = folder();
    const env = { WALWARDEN_HOME: home, PATH: `${server.binDir}:${process.env['PATH'] ?? ''}` };
    const succeed = (...args: string[]) => {
      const ended = run('walwarden', args, env);
      assert.equal(ended.status, 0, `${args.join(' ')}: ${ended.stderr}`);
      return ended.stdout;
    };
    assert.match(succeed('--version'), /^walwarden \d/);
    succeed('init');
    succeed('database', 'add', 'shop', '--dsn', server.dsn('shop'), '--destination', `file://${home}/store`);
    const told = succeed('--json', 'backup', 'run', '--database', 'shop');
    const sha256 = /"manifestSha256":"([0-9a-f]{64})"/.exec(told)?.[1];
    assert.ok(sha256, told);
    succeed('evidence', 'export', '--database', 'shop', '--out', join(home, 'shop.evidence.tgz'));
    succeed('restore', '--manifest', sha256, '--target', server.dsn('postgres'), '--mode', 'new_database', '--created-database', 'shop_again');
    assert.equal(server.sql('shop_again', 'select count(*) from orders'), '5000');
    assert.equal(run('walwarden', ['backup', 'run', '--database', 'nothing'], env).status, 2);
  } finally {
    await server.stop();
  }
});

test('a signal cancels the job of a command', async () => {
  const server = await startServer();
  const until = async (query: string) => {
    for (let tries = 0; server.sql('postgres', query) !== 't'; tries += 1) {
      assert.ok(tries < 600, query);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  try {
    makeShop(server);
    const hold = 'begin; lock table orders in access exclusive mode; select pg_sleep(60)';
    const holder = spawn(join(server.binDir, 'psql'), ['-d', server.dsn('shop'), '-c', hold]);
    await until("select exists (select from pg_stat_activity where wait_event = 'PgSleep')");
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const home = folder();
      const env = { ...process.env, WALWARDEN_HOME: home, PATH: `${server.binDir}:${process.env['PATH'] ?? ''}` };
      assert.equal(run('walwarden', ['key', 'generate'], { WALWARDEN_HOME: home }).status, 0);
      const args = ['backup', 'run', '--dsn', server.dsn('shop'), '--to', join(home, 'store'), '--database', 'shop'];
      const command = spawn(join(BIN, 'walwarden'), args, { env });
      let told = '';
      command.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()));
      await until("select exists (select from pg_stat_activity where wait_event_type = 'Lock')");
      command.kill(signal);
      const [status] = (await once(command, 'close')) as [number | null];
      assert.deepEqual([status, told.includes('cancelled')], [4, true], told);
      // The server's half of pg_dump still waits for the lock.
      server.sql('postgres', "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'");
      await until("select not exists (select from pg_stat_activity where wait_event_type = 'Lock')");
    }
    server.sql('postgres', "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'");
    await once(holder, 'exit');
  } finally {
    await server.stop();
  }
});

test('a native module that is not there is told, by its platform and its package', () => {
  const installed = join(__dirname, 'node_modules/@walwarden/verifier');
  const loaded = (packages: Record<string, string>, made = {}) => {
    const elsewhere = join(folder(), 'verifier');
    cpSync(installed, elsewhere, { recursive: true });
    writeFileSync(join(elsewhere, 'package.json'), JSON.stringify({ optionalDependencies: packages }));
    for (const [name, text] of Object.entries(made)) {
      mkdirSync(join(elsewhere, 'node_modules', name), { recursive: true });
      writeFileSync(join(elsewhere, 'node_modules', name, 'index.js'), String(text));
    }
    const command = spawnSync(process.execPath, [join(elsewhere, 'bin/walwarden-verify.js'), '--version'], { encoding: 'utf8' });
    assert.match(command.stderr, /^walwarden-verify: Walwarden[^\n]*\n$/);
    assert.equal(command.status, 2);
    return () => createRequire(__filename)(join(elsewhere, 'dist/verifier.js')) as unknown;
  };
  const platform = `${process.platform}-${process.arch}`;
  const own = `@walwarden/verifier-${platform}-gnu`;
  const other = '@walwarden/verifier-aix-ppc64';
  assert.throws(loaded({ [other]: '0.1.0' }), new RegExp(`no native module for ${platform}, only ${other}.*docs/node.md`));
  assert.throws(loaded({ [own]: '0.1.0' }), new RegExp(`the package ${own}, is not installed.*optional dependencies`));
  assert.throws(loaded({ [own]: '0.1.0' }, { [own]: 'require("absent")' }), new RegExp(`the package ${own}, cannot be loaded`));
});
