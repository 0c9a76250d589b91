import { argument, checked, type Members } from './arguments';
import { native, shown, stoppable } from './native';
import type { Report, Trust } from './native-verifier';

export { WalwardenError, type ErrorDetails, type Kind } from './error';
export type { ChainKey, Finding, Report, Trust } from './native-verifier';

shown(native.Report);

/** The version of this package. */
export const version: string = native.version();

/** Whom an auditor trusts, what he demands, and what stops the verification. */
export interface VerifyOptions extends Trust {
  /** Stops it; the promise is rejected (`cancelled`) when it has ended. */
  signal?: AbortSignal | undefined;
}

/**
 * Checks an evidence bundle (a path, or its bytes) offline against what you trust. A file is read as a stream; bytes are copied.
 *
 * Whatever is wrong with the evidence is in the report. Rejects with a `WalwardenError` when an argument has no meaning or the
 * bundle cannot be read.
 */
export async function verify(bundle: string | Uint8Array, options: VerifyOptions = {}): Promise<Report> {
  argument('bundle', 'bundle', bundle);
  const { signal, ...trust } = checked(options, OPTIONS);
  const stop = new native.Stop();
  return stoppable(signal, () => stop.stop(), () => native.verify(bundle, trust, stop));
}

const OPTIONS: Members<VerifyOptions> = {
  signal: 'signal',
  publicKeys: 'texts',
  fingerprints: 'texts',
  witnesses: 'texts',
  witnessPolicy: 'octets',
  policy: 'octets',
  asOf: 'text',
  since: 'octets',
  authorities: 'texts',
  level: 'whole',
  now: 'text',
};
