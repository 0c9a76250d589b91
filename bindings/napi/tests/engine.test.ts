import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';

import { Engine, FileKey, WalwardenError, openStorage, verify, type Event, type Signer, type Storage } from 'walwarden-cli';
import * as verifier from '@walwarden/verifier';

import { MapStorage, folder, makeShop, nodeSigner, openEngine, startServer, type Server } from './database';

let server: Server;
let shop: string;

before(async () => {
  server = await startServer();
  makeShop(server);
  shop = server.dsn('shop');
});

after(() => server.stop());

const kinds = async (engine: Engine) =>
  (await engine.rows('shop')).map((row) => (JSON.parse(Buffer.from(row).toString()) as { kind: string }).kind);

/** What is never answered, and forgotten: while somebody waits for it, garbage is collected. */
function never(): Promise<never> {
  setTimeout(() => globalThis.gc?.(), 50);
  return new Promise(() => {});
}

async function refused(work: Promise<unknown>): Promise<WalwardenError> {
  let found: unknown;
  await assert.rejects(work, (error) => ((found = error), true));
  assert.ok(found instanceof WalwardenError, String(found));
  return found;
}

test('back up, prove, restore, with a key and a folder of the engine', async () => {
  const home = folder();
  const key = await FileKey.generate(join(home, 'key.pem'));
  const loaded = await FileKey.load(join(home, 'key.pem'));
  assert.deepEqual([loaded.keyId, loaded.publicKey], [key.keyId, key.publicKey]);
  const engine = await openEngine(server, { signer: key });
  const storage = await openStorage(`file://${home}/store`, { makeFolder: true });
  assert.equal(storage.url, `file://${home}/store`);

  const events: Event[] = [];
  const sealed = await engine.backup('shop', shop, storage, { compression: 'zstd:3', onEvent: (event) => events.push(event) });
  assert.match(sealed.manifestSha256, /^[0-9a-f]{64}$/);
  assert.ok(sealed.manifest.length > 0);
  const last = events.filter((event) => event.type === 'state').at(-1);
  assert.deepEqual([last?.state, last?.jobId], ['completed', sealed.jobId]);
  assert.equal(typeof last?.payload, 'object');

  const bundle = join(home, 'shop.evidence.tgz');
  const exported = await engine.exportEvidence('shop', [storage], bundle, { artifacts: true });
  assert.deepEqual([exported.manifests, exported.artifacts, exported.missing], [1, 1, []]);
  const report = await verify(bundle, { publicKeys: [key.publicKey] });
  assert.deepEqual([report.exit, report.artifactsChecked], [0, 1], String(report));

  const plan = await engine.planRestore(sealed.manifestSha256, storage, server.dsn('postgres'), 'new_database', {
    createdDatabase: 'shop_again',
    publicKeys: [key.publicKey],
  });
  assert.deepEqual([plan.database, plan.dropped], ['shop_again', []]);
  const restored = await engine.restore(plan);
  assert.equal(restored.database, 'shop_again');
  assert.deepEqual(restored.checked?.map(({ name, rows }) => [name, rows]), [['orders', 5000]]);
  assert.equal(server.sql('shop_again', 'select count(*), max(id) from orders'), '5000|5000');
});

test('back up and restore, with a signer and a storage of one’s own', async () => {
  const signer = nodeSigner();
  const engine = await openEngine(server, { signer });
  const storage = new MapStorage();
  const sealed = await engine.backup('shop', shop, storage);
  assert.ok(storage.objects.size >= 2);
  const bundle = join(folder(), 'shop.evidence.tgz');
  await engine.exportEvidence('shop', [storage], bundle);
  assert.equal((await verify(bundle, { publicKeys: [signer.publicKey] })).exit, 0);
  const plan = await engine.planRestore(sealed.manifestSha256, storage, server.dsn('postgres'), 'new_database', {
    createdDatabase: 'shop_of_ones_own',
    publicKeys: [signer.publicKey],
    tables: [[null, 'orders']],
  });
  await engine.restore(plan);
  assert.equal(server.sql('shop_of_ones_own', 'select count(*) from orders'), '5000');
});

test('what an own signer does wrong fails the job and nothing else', async () => {
  const good = nodeSigner();
  const wrong: Record<string, Signer['sign']> = {
    throws: () => {
      throw new Error('the HSM is on fire');
    },
    rejects: async () => Promise.reject(new Error('no')),
    'throws no error': () => {
      throw null;
    },
    hangs: never,
    'signs with another key': (message) => nodeSigner().sign(message),
    'returns too little': () => new Uint8Array(3),
    'returns text': () => 'signature' as unknown as Uint8Array,
    'returns nothing': () => undefined as unknown as Uint8Array,
  };
  for (const [how, sign] of Object.entries(wrong)) {
    const engine = await openEngine(server, { signer: { publicKey: good.publicKey, sign }, patienceSeconds: 0.5 });
    const error = await refused(engine.backup('shop', shop, new MapStorage()));
    assert.deepEqual([error.code, error.kind], ['component-failed', 'Failed'], `${how}: ${String(error)}`);
    assert.equal(error.message.includes('did not answer'), how === 'hangs', error.message);
  }
  const error = await refused(openEngine(server, { signer: { ...good, publicKey: 'no key' } }));
  assert.equal(error.code, 'key-invalid');
});

test('what an own storage does wrong fails the job and nothing else', async () => {
  const bad = <T>(value: unknown) => (): T => value as T;
  const wrong: Record<string, Partial<Storage>> = {
    'size throws': { size: () => { throw new TypeError('no') } },
    'size is text': { size: bad('7') },
    'size is below zero': { size: bad(-1) },
    'size is no number': { size: bad(NaN) },
    'size hangs': { size: never },
    'upload returns nothing': { upload: bad(undefined) },
    'upload returns an empty object': { upload: bad({}) },
    'write throws': { upload: () => ({ write: () => { throw new Error('disk') }, finish: () => {}, abort: () => {} }) },
    'finish hangs': { upload: () => ({ write: () => {}, finish: never, abort: () => {} }) },
    'read is short': { read: () => new Uint8Array(1) },
    'read is text': { read: bad('bytes') },
    'read is a view without elements': { read: bad(new DataView(new ArrayBuffer(8))) },
    'upload has a number as id': { upload: bad({ id: 7, write: () => {}, finish: () => {}, abort: () => {} }) },
  };
  const words: Record<string, string> = {
    'size is text': 'storage size() returned what it must not: it must be a number of bytes, or null, and is string',
    'upload returns nothing': 'upload() returned what it must not: it must be an object with the methods write, finish and abort, and is undefined',
    'read is a view without elements': 'read() returned what it must not: it must be a Uint8Array, and is DataView',
    'upload has a number as id': 'upload() returned what it must not: its id must be a string, and is number',
    'write throws': 'write() threw Error: disk',
  };
  const signer = nodeSigner();
  for (const [how, methods] of Object.entries(wrong)) {
    const storage = Object.assign(new MapStorage(), methods);
    const engine = await openEngine(server, { signer, patienceSeconds: 0.5 });
    const error = await refused(engine.backup('shop', shop, storage));
    assert.equal(error.code, 'component-failed', `${how}: ${error.message}`);
    assert.ok(error.message.includes(words[how] ?? ''), `${how}: ${error.message}`);
  }
  for (const list of [bad<never>(7), bad<never>([7, null]), bad<never>([['name', 1.5]])]) {
    const storage = Object.assign(new MapStorage(), { list });
    const engine = await openEngine(server, { signer, patienceSeconds: 0.5 });
    const error = await refused(engine.planRestore('0'.repeat(64), storage, server.dsn('postgres'), 'new_database'));
    assert.equal(error.code, 'component-failed', error.message);
  }
});

test('an error of Walwarden that a component throws keeps its code', async () => {
  for (const Class of [WalwardenError, verifier.WalwardenError]) {
    const full = () => {
      throw new Class('storage-full', 'the vault is full');
    };
    const storage = Object.assign(new MapStorage(), { upload: full });
    const error = await refused((await openEngine(server, { signer: nodeSigner() })).backup('shop', shop, storage));
    assert.deepEqual([error.code, error.message.includes('the vault is full')], ['storage-full', true], String(error));
  }
});

test('a stopped job records that it was stopped before its promise is rejected', async () => {
  const stop = new AbortController();
  const sign = () => {
    stop.abort();
    return never();
  };
  const engine = await openEngine(server, { signer: { ...nodeSigner(), sign } });
  const error = await refused(engine.backup('shop', shop, new MapStorage(), { signal: stop.signal }));
  assert.deepEqual([error.code, error.kind, error.exit], ['cancelled', 'Cancelled', 4]);
  assert.equal((await kinds(engine)).at(-1), 'backup.cancelled');

  // One that is told to stop as well, and says so in its own words, has not failed.
  const both = new AbortController();
  const told = () => {
    both.abort();
    both.signal.throwIfAborted();
    return never();
  };
  const other = await openEngine(server, { signer: { ...nodeSigner(), sign: told } });
  const asked = await refused(other.backup('shop', shop, new MapStorage(), { signal: both.signal }));
  assert.deepEqual([asked.code, asked.causes.join().includes('AbortError')], ['cancelled', true], String(asked));
  assert.equal((await kinds(other)).at(-1), 'backup.cancelled');

  const late = await refused(engine.backup('shop', shop, new MapStorage(), { signal: stop.signal }));
  assert.equal(late.code, 'cancelled');
});

/** Asks for the job to be stopped when a dump is read for the n-th time, and never answers. */
class Stopping extends MapStorage {
  reads = 0;
  readonly stop = new AbortController();

  constructor(
    override readonly objects: Map<string, Buffer>,
    public stopsAt = Infinity,
    readonly says = never,
  ) {
    super();
  }

  override read(name: string, start: number, length: number): Promise<Buffer> {
    if (name.endsWith('.dump') && (this.reads += 1) >= this.stopsAt) {
      this.stop.abort();
      return this.says();
    }
    return super.read(name, start, length);
  }
}

for (const which of ['first', 'last'] as const) {
  test(`a restore that is stopped at the ${which} read leaves nothing, and records that`, async () => {
    const key = nodeSigner();
    const engine = await openEngine(server, { signer: key });
    const stored = new MapStorage();
    const { manifestSha256 } = await engine.backup('shop', shop, stored);
    const databases = () => server.sql('postgres', "select string_agg(datname, ' ' order by datname) from pg_database");
    const before = databases();
    const plan = (storage: MapStorage) =>
      engine.planRestore(manifestSha256, storage, server.dsn('postgres'), 'new_database', {
        createdDatabase: 'never_seen',
        publicKeys: [key.publicKey],
      });
    const restored = async (storage: MapStorage) => {
      await engine.restore(await plan(storage));
      server.sql('postgres', 'drop database never_seen');
    };

    // The last read is that of the rows: the database is half built by then.
    const whole = new Stopping(stored.objects);
    await restored(whole);
    const storage = new Stopping(stored.objects);
    const planned = await plan(storage);
    storage.stopsAt = which === 'first' ? storage.reads + 1 : whole.reads;
    const error = await refused(engine.restore(planned, { signal: storage.stop.signal }));
    assert.deepEqual([error.code, error.kind], ['cancelled', 'Cancelled'], String(error));
    const rows = await engine.rows('shop');
    const last = JSON.parse(Buffer.from(rows.at(-1) ?? '').toString()) as { kind: string; payload: { class: string } };
    assert.deepEqual([last.kind, last.payload.class], ['restore.failed', 'cancelled']);
    assert.equal(databases(), before);
    const told = new Stopping(stored.objects, Infinity, () => Promise.reject(new DOMException('aborted', 'AbortError')));
    const again = await plan(told);
    told.stopsAt = which === 'first' ? told.reads + 1 : whole.reads;
    assert.equal((await refused(engine.restore(again, { signal: told.stop.signal }))).code, 'cancelled');
    assert.equal(databases(), before);
    // Nothing stands in the way of the next one.
    await restored(stored);
  });
}

test('planning stops at a signal, and what stopped it does not stop a restore', async () => {
  const key = nodeSigner();
  const engine = await openEngine(server, { signer: key });
  const storage = new MapStorage();
  const { manifestSha256 } = await engine.backup('shop', shop, storage);
  const plan = (from: Storage, signal?: AbortSignal) =>
    engine.planRestore(manifestSha256, from, server.dsn('postgres'), 'new_database', {
      createdDatabase: 'planned',
      publicKeys: [key.publicKey],
      signal,
    });
  assert.equal((await refused(plan(storage, AbortSignal.abort()))).code, 'cancelled');
  const silent = Object.assign(new MapStorage(), { size: never, list: never });
  assert.equal((await refused(plan(silent, AbortSignal.timeout(100)))).code, 'cancelled');

  const stop = new AbortController();
  const planned = await plan(storage, stop.signal);
  stop.abort();
  assert.equal((await refused(engine.restore(planned, { signal: AbortSignal.abort() }))).code, 'cancelled');
  assert.equal((await engine.restore(planned)).database, 'planned');
  server.sql('postgres', 'drop database planned');
});

test('an error of a component says what it threw', async () => {
  const thrown: Array<[unknown, string]> = [
    [new WalwardenError('my-code', 'the vault is shut'), 'storage upload() threw the vault is shut [my-code]'],
    [Object.assign(new WalwardenError('x', 'odd'), { code: 7 }), 'storage upload() threw odd [7]'],
    [new TypeError('no'), 'storage upload() threw TypeError: no'],
  ];
  for (const [error, words] of thrown) {
    const upload = () => {
      throw error;
    };
    const storage = Object.assign(new MapStorage(), { upload });
    const told = await refused((await openEngine(server, { signer: nodeSigner() })).backup('shop', shop, storage));
    assert.deepEqual([told.code, told.message.includes(words)], ['component-failed', true], told.message);
  }
});

test('what onEvent throws becomes a warning', async () => {
  const warnings: string[] = [];
  process.on('warning', (warning) => warnings.push(warning.message));
  const engine = await openEngine(server, { signer: nodeSigner() });
  const onEvent = () => {
    throw new Error('the screen is broken');
  };
  await engine.backup('shop', shop, new MapStorage(), { onEvent });
  await engine.backup('shop', shop, new MapStorage(), { onEvent: async () => Promise.reject(new Error('so is the other one')) });
  for (const told of ['the screen is broken', 'so is the other one']) assert.ok(warnings.some((text) => text.includes(told)));
});

test('options without meaning are refused', async () => {
  const engine = await openEngine(server, { signer: nodeSigner() });
  const storage = new MapStorage();
  const argument: Array<() => Promise<unknown>> = [
    () => Engine.open('', {}),
    () => Engine.open(7 as unknown as string),
    () => Engine.open('acme', null as unknown as object),
    () => Engine.open('acme', { attempts: 0 }),
    () => Engine.open('acme', { catalog: new URL('file:///x') as unknown as string }),
    () => FileKey.load(7 as unknown as string),
    () => openStorage('file:///x', { credentials: { key: 7 } as unknown as Record<string, string> }),
    () => engine.backup('shop', Buffer.from('postgresql://ada:secret@x/y') as unknown as string, storage),
    () => engine.backup('shop', shop, storage, { signal: 3 as unknown as AbortSignal }),
    () => engine.backup('shop', shop, storage, { onEvent: 3 as unknown as () => void }),
    () => engine.backup('shop', shop, storage, { jobs: 0 }),
    () => engine.backup('shop', shop, storage, Promise.resolve({ jobs: 2 }) as never),
    () => openStorage('s3://bucket', { credentials: Promise.resolve({}) as never }),
    () => engine.planRestore('0'.repeat(64), storage, shop, 'in_place', { tables: ['orders'] as never }),
    () => engine.restore({} as never),
    () => engine.exportEvidence('shop', storage as never, join(folder(), 'x.tgz')),
    () => Engine.open('acme', { catalogue: 'x' } as object),
    () => Engine.open('acme', { patienceSeconds: -1, signer: nodeSigner() }),
    () => Engine.open('acme', { patienceSeconds: NaN }),
    () => engine.backup('shop', shop, storage, { jobs: 1.5 }),
    () => engine.backup('shop', shop, storage, { compression: 'rot13' }),
    () => engine.planRestore('abc', storage, shop, 'new_database'),
    () => engine.planRestore('0'.repeat(64), storage, shop, 'sideways' as 'in_place'),
    () => engine.exportEvidence('shop', [], join(folder(), 'x.tgz')),
    () => engine.rows('shop', -1),
  ];
  for (const call of argument) {
    const error = await refused(call());
    assert.deepEqual([error.code, error.kind, error.exit], ['argument-invalid', 'Invalid', 2], `${String(call)}: ${error.message}`);
    assert.ok(!/secret|115/.test(String(error)), String(error));
  }
  assert.equal((await refused(openStorage('ftp://example.org'))).code, 'destination-invalid');
  assert.equal((await refused(engine.backup('shop', 'host', storage))).code, 'dsn-invalid');
  assert.equal((await refused(engine.rows('nothing'))).code, 'database-unknown');
});

test('what is no signer or storage is refused by name, before anything is done', async () => {
  const engine = await openEngine(server, { signer: nodeSigner() });
  const opened = openStorage('memory://early');
  const storages: Array<[unknown, string]> = [
    ['s3://key:secret@bucket', 'to is neither what openStorage resolves to nor a Storage but string: it has no method upload'],
    [opened, 'Promise: await it'],
    [null, 'null: it has no method upload'],
    [Object.assign(new MapStorage(), { putIfAbsent: true }), 'MapStorage: it has no method putIfAbsent'],
  ];
  for (const [storage, told] of storages) {
    const error = await refused(engine.backup('shop', shop, storage as Storage));
    assert.equal(error.code, 'argument-invalid');
    assert.ok(error.message.endsWith(told), error.message);
  }
  assert.ok(!inspect(await opened).includes('undefined'));
  assert.equal((await refused(engine.rows('shop'))).code, 'database-unknown');
  const signers: Array<[unknown, string]> = [
    ['key.pem', 'string: it has no method sign'],
    [{ ...nodeSigner(), publicKey: Buffer.from('secret') }, 'its publicKey is Buffer, and must be a string'],
    [FileKey.generate(join(folder(), 'key.pem')), 'Promise: await it'],
  ];
  for (const [signer, told] of signers) {
    const error = await refused(openEngine(server, { signer: signer as Signer }));
    assert.equal(error.code, 'argument-invalid');
    assert.ok(error.message.endsWith(told), error.message);
  }
});

test('a lost catalogue comes back from the storage', async () => {
  const signer = nodeSigner();
  const storage = new MapStorage();
  const lost = await openEngine(server, { signer });
  await lost.backup('shop', shop, storage);
  const engine = await openEngine(server, { signer });
  assert.equal((await refused(engine.backup('shop', shop, storage))).code, 'chain-exists');
  assert.equal((await refused(engine.rebuildCatalog(storage, { publicKeys: [nodeSigner().publicKey] }))).code, 'chain-uncovered');
  assert.deepEqual(await engine.rebuildCatalog(storage, { publicKeys: [signer.publicKey], databaseId: 'other' }), []);
  assert.equal((await refused(engine.rebuildCatalog(storage, {} as never))).code, 'argument-invalid');
  const slow = Object.assign(new MapStorage(), { list: never });
  const late = { publicKeys: [signer.publicKey], signal: AbortSignal.timeout(200) };
  assert.equal((await refused(engine.rebuildCatalog(slow, late))).code, 'cancelled');
  const bundle = join(folder(), 'never.evidence.tgz');
  assert.equal((await refused(lost.exportEvidence('shop', [storage], bundle, { signal: AbortSignal.abort() }))).code, 'cancelled');
  assert.ok(!existsSync(bundle));
  const rows = await lost.rows('shop');
  const expected = { orgId: 'acme', databaseId: 'shop', rows: rows.length, coveredRows: rows.length, backups: 1, notices: [] };
  assert.deepEqual(await engine.rebuildCatalog(storage, { publicKeys: [signer.publicKey] }), [expected]);
  assert.deepEqual(await engine.rows('shop'), rows);
  assert.ok((await engine.backup('shop', shop, storage)).manifestSha256);
});

test('what a job returns can be looked at', async () => {
  const key = await FileKey.generate(join(folder(), 'key.pem'));
  assert.equal(inspect(key).startsWith(`SigningKey {`), true, inspect(key));
  assert.ok(inspect(key).includes(key.keyId));
  assert.ok(inspect(await openStorage('memory://looked-at')).includes("url: 'memory://looked-at'"));
});

test('ten backups at once leave the event loop free', async (context) => {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 5);
  const home = folder();
  const engine = await openEngine(server, { signer: await FileKey.generate(join(home, 'key.pem')) });
  const storage = await openStorage(`file://${home}/store`, { makeFolder: true });
  delays.enable();
  const started = performance.now();
  await Promise.all(Array.from({ length: 10 }, (_, number) => engine.backup(`shop-${number}`, shop, storage)));
  const elapsed = performance.now() - started;
  delays.disable();
  clearInterval(timer);
  context.diagnostic(`p99 of the event loop's delay: ${(delays.percentile(99) / 1e6).toFixed(1)} ms`);
  assert.ok(ticks >= elapsed / 100, `${ticks} ticks in ${elapsed} ms`);
  assert.match(readFileSync(join(home, 'key.pem'), 'utf8'), /PRIVATE KEY/);
});

test('a thread that is ended in the middle of its jobs takes nothing with it', async () => {
  const work = `
    const { workerData: { home, shop, binDir }, parentPort } = require('node:worker_threads');
    const { MapStorage, nodeSigner, openEngine } = require(home + '/database.js');
    (async () => {
      const engine = await openEngine({ binDir }, { signer: nodeSigner() });
      parentPort.postMessage('begun');
      for (let round = 0; ; round += 1) await engine.backup('shop-' + round, shop, new MapStorage(), { onEvent() {} });
    })();`;
  for (const pause of [0, 50, 100, 200]) {
    const workerData = { home: __dirname, shop, binDir: server.binDir };
    const thread = new Worker(work, { eval: true, workerData });
    await once(thread, 'message');
    await new Promise((resolve) => setTimeout(resolve, pause));
    assert.equal(await thread.terminate(), 1);
  }
  const engine = await openEngine(server, { signer: nodeSigner() });
  assert.ok((await engine.backup('shop', shop, new MapStorage())).manifestSha256);
});
