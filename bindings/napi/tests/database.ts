// A real server, and what a program may bring of its own.

import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Engine, WalwardenError, type EngineOptions, type Signer, type Storage, type Upload } from 'walwarden-cli';

import { ROOT } from './vectors';

/** A throwaway Postgres. */
export interface Server {
  binDir: string;
  /** The beginning of a connection URL. */
  place: string;
  dsn(database: string): string;
  sql(database: string, text: string): string;
  stop(): Promise<void>;
}

export async function startServer(): Promise<Server> {
  const programs = process.env['WALWARDEN_PROGRAMS'] ?? join(ROOT, 'target/debug');
  const program = spawn(join(programs, 'throwaway-postgres'), ['17'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(program.stdout, 'data')) as [Buffer];
  const told = JSON.parse(line.toString()) as Record<'host' | 'port' | 'user' | 'password' | 'binDir', string>;
  process.env['PGPASSWORD'] = told.password;
  const dsn = (database: string) =>
    `host=${told.host} port=${told.port} user=${told.user} dbname=${database} connect_timeout=5`;
  return {
    binDir: told.binDir,
    place: `postgresql://${told.user}@${told.host}:${told.port}`,
    dsn,
    sql: (database, text) => {
      const psql = ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', dsn(database), '-c', text];
      return execFileSync(join(told.binDir, 'psql'), psql, { encoding: 'utf8' }).trim();
    },
    stop: async () => {
      const ended = once(program, 'exit');
      program.stdin.end();
      await ended;
    },
  };
}

/** A database with rows in it. */
export function makeShop(server: Server): void {
  server.sql('postgres', 'create database shop');
  server.sql(
    'shop',
    `create table orders (id int primary key, note text);
     insert into orders select n, repeat(md5(n::text), 20) from generate_series(1, 5000) n`,
  );
}

export function folder(): string {
  return mkdtempSync(join(tmpdir(), 'walwarden-'));
}

export async function openEngine(server: Server, options: EngineOptions): Promise<Engine> {
  return Engine.open('acme', { catalog: join(folder(), 'catalog.db'), attempts: 1, clientDirs: [server.binDir], ...options });
}

/** Signs with a key of Node's own, sooner or later. */
export function nodeSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: async (message) => sign(null, message, privateKey),
  };
}

/** A storage in memory; half of its methods answer at once. */
export class MapStorage implements Storage {
  readonly objects = new Map<string, Buffer>();

  upload(name: string): Upload {
    const chunks: Uint8Array[] = [];
    return {
      write: async (chunk) => chunks.push(chunk),
      finish: () => {
        if (this.objects.has(name)) throw new WalwardenError('object-exists', `object exists already name=${name}`);
        this.objects.set(name, Buffer.concat(chunks));
      },
      abort: () => chunks.splice(0),
    };
  }

  size(name: string) {
    return this.objects.get(name)?.length ?? null;
  }

  async read(name: string, start: number, length: number) {
    const body = this.objects.get(name);
    if (!body) throw new WalwardenError('object-missing', `object is missing name=${name}`);
    return body.subarray(start, start + length);
  }

  async list(prefix: string) {
    const below = prefix && `${prefix}/`;
    const found = [...this.objects].filter(([name]) => name.startsWith(below));
    return found.map(([name, body]) => [name, body.length] as const);
  }

  abandon(): void {}

  putIfAbsent() {
    return true;
  }
}
