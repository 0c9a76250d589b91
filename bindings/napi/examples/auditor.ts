// An auditor's service: bundles come by POST, reports go back as JSON.
//
//     node auditor.js KEY.pem PORT
//     curl --data-binary @shop.evidence.tgz http://127.0.0.1:PORT
//
// A bundle is kept in a file while it is verified, so its size does not matter; requests are answered side by side.

import { createWriteStream, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { WalwardenError, verify } from '@walwarden/verifier';

const [keyFile = '', port = '0'] = process.argv.slice(2);
const publicKeys = [readFileSync(keyFile, 'utf8')];

async function judge(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'auditor-'));
  try {
    const bundle = join(folder, 'bundle');
    await pipeline(request, createWriteStream(bundle));
    const report = await verify(bundle, { publicKeys });
    response.setHeader('content-type', 'application/json');
    response.end(report.toJson());
  } catch (error) {
    response.statusCode = 500;
    response.end(error instanceof WalwardenError ? `${error.code}: ${error.message}\n` : 'failed\n');
  } finally {
    await rm(folder, { recursive: true });
  }
}

const server = createServer((request, response) => void judge(request, response));
server.listen(Number(port), '127.0.0.1', () => console.log(JSON.stringify(server.address())));
