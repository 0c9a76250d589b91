// The published vectors.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Trust } from '@walwarden/verifier';

export const ROOT = process.env['WALWARDEN_ROOT'] ?? join(__dirname, '../..');
export const VECTORS = join(ROOT, 'spec/vectors');
export const NOW = '2030-01-01T00:00:00.000Z';
export const GOOD = join(VECTORS, 'good/one-backup.evidence.tgz');
export const ALPHA_FILE = join(VECTORS, 'keys/alpha.pub.pem');
export const ALPHA = readFileSync(ALPHA_FILE, 'utf8');

export interface Case {
  name: string;
  file: string;
  args: {
    pubkeys: string[];
    fingerprints: string[];
    witnesses: string[];
    witnessPolicy: string | null;
    policy: string | null;
    asOf?: string | null;
    keptCheckpoint: string | null;
    authorities?: string[];
    level: number | null;
  };
  exit: number;
  codes: string[];
  level: number | null;
}

export const CASES = JSON.parse(readFileSync(join(VECTORS, 'cases.json'), 'utf8')) as Case[];

const octets = (file: string) => readFileSync(join(VECTORS, file));
const text = (file: string) => octets(file).toString('utf8');

/** What the auditor of a case brings. */
export function trust({ args }: Case): Trust {
  return {
    publicKeys: args.pubkeys.map(text),
    fingerprints: args.fingerprints,
    witnesses: args.witnesses,
    authorities: (args.authorities ?? []).map(text),
    now: NOW,
    ...(args.witnessPolicy ? { witnessPolicy: octets(args.witnessPolicy) } : {}),
    ...(args.policy ? { policy: octets(args.policy) } : {}),
    ...(args.asOf ? { asOf: args.asOf } : {}),
    ...(args.keptCheckpoint ? { since: octets(args.keptCheckpoint) } : {}),
    ...(args.level === null ? {} : { level: args.level }),
  };
}
