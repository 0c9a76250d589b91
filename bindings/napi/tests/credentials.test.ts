// Credentials of a bucket reach its server, and nobody else.

import assert from 'node:assert/strict';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';

import { WalwardenError, openStorage, type Event } from 'walwarden-cli';

import { makeShop, nodeSigner, openEngine, startServer, type Server } from './database';

const SECRETS = { aws_secret_access_key: 'hunter2-hunter2', aws_session_token: 'token-token' };
const authorizations: string[] = [];
let bucket: string;
let refusing: HttpServer;
let server: Server;

before(async () => {
  server = await startServer();
  makeShop(server);
  // Refuses everyone, and repeats what it was sent.
  refusing = createServer(({ headers }, response) => {
    authorizations.push(headers.authorization ?? '');
    response.writeHead(403).end(`<Error><Code>AccessDenied</Code><Message>${JSON.stringify(headers)}</Message></Error>`);
  });
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
  bucket = `s3://backups/here?region=eu-1&endpoint=http://127.0.0.1:${(refusing.address() as AddressInfo).port}`;
});

after(async () => {
  refusing.close();
  await server.stop();
});

test('credentials show nowhere', async () => {
  const storage = await openStorage(bucket, { credentials: { aws_access_key_id: 'AKIAEXAMPLE', ...SECRETS } });
  const engine = await openEngine(server, { signer: nodeSigner() });
  const events: Event[] = [];
  let error: unknown;
  await assert.rejects(engine.backup('shop', server.dsn('shop'), storage, { onEvent: (event) => events.push(event) }), (thrown) => ((error = thrown), true));
  assert.ok(error instanceof WalwardenError && error.kind === 'Refused', String(error));
  assert.ok(authorizations.some((authorization) => authorization.includes('AKIAEXAMPLE')), 'they were not used');
  const told = inspect([storage, storage.url, error, error.stack, events], { depth: 9, showHidden: true, getters: true });
  for (const secret of Object.values(SECRETS)) assert.ok(!told.includes(secret), told);
});

test('a credential that is refused is not repeated', async () => {
  for (const name of ['aws_secret', 'AWS_SECRET_ACCESS_KEY', '']) {
    await assert.rejects(openStorage(bucket, { credentials: { [name]: 'hunter2-hunter2' } }), (error) => {
      assert.ok(error instanceof WalwardenError && error.code === 'argument-invalid' && error.message.includes('aws_session_token'), String(error));
      assert.ok(!inspect(error).includes('hunter2'), inspect(error));
      return true;
    });
  }
});
