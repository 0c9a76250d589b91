import { native, checked, outcome, type Members } from './native';
import type { Report, Trust } from './native-verifier';

export { WalwardenError, type ErrorDetails, type Kind } from './error';
export type { ChainKey, Finding, Report, Trust } from './native-verifier';

/** The version of this package. */
export const version: string = native.version();

/**
 * Checks an evidence bundle (a path, or its bytes) offline against what you trust. A file is read as a stream; bytes are copied.
 *
 * Whatever is wrong with the evidence is in the report. Rejects with a `WalwardenError` when an argument has no meaning or the
 * bundle cannot be read.
 */
export async function verify(bundle: string | Uint8Array, trust: Trust = {}): Promise<Report> {
  return outcome(() => native.verify(bundle, checked(trust, TRUST)));
}

const TRUST: Members<Trust> = {
  publicKeys: 'any',
  fingerprints: 'any',
  witnesses: 'any',
  witnessPolicy: 'any',
  policy: 'any',
  asOf: 'any',
  since: 'any',
  authorities: 'any',
  level: 'whole',
  now: 'any',
};
