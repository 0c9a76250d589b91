import { inspect } from 'node:util';

import { WalwardenError, type Kind } from './error';
import type * as Verifier from './native-verifier';

const platform = `${process.platform}-${process.arch}`;

/** The native module for this platform, which is a package of its own: npm installs the one that fits of those that this package names. */
export function load<Module>(): Module {
  const { optionalDependencies = {} } = require('../package.json') as { readonly optionalDependencies?: object };
  const packages = Object.keys(optionalDependencies);
  const source = 'Build one from source: docs/node.md of the repository.';
  const name = packages.find((name) => name.endsWith(`-${platform}`) || name.endsWith(`-${platform}-gnu`));
  if (!name) throw missing(`Walwarden has no native module for ${platform}, only ${packages.join(', ') || 'none at all'}. ${source}`);
  try {
    return require(name) as Module;
  } catch (cause) {
    const advice = isAbsent(cause, name)
      ? 'is not installed. Install again on this machine, optional dependencies included.'
      : `cannot be loaded. ${source}`;
    throw missing(`Walwarden's native module for ${platform}, the package ${name}, ${advice}`, cause);
  }
}

/** With a code by which the commands tell it from a defect. */
function missing(message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code: 'ERR_WALWARDEN_NATIVE' });
}

function isAbsent(cause: unknown, name: string): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND' && cause.message.includes(`'${name}'`);
}

export const native = load<typeof Verifier>();

/** Result of native work; a failure, which comes as data, is thrown. */
export async function outcome<T>(work: () => T | Promise<T>): Promise<Exclude<T, Verifier.Failure>> {
  let value;
  try {
    value = await work();
  } catch (cause) {
    // Only an argument of another type is thrown.
    throw raised(native.argumentInvalid(cause instanceof Error ? cause.message : String(cause)));
  }
  if (isFailure(value)) throw raised(value);
  return value as Exclude<T, Verifier.Failure>;
}

function isFailure(value: unknown): value is Verifier.Failure {
  return typeof value === 'object' && value !== null && 'nextAction' in value;
}

export function raised({ code, message, ...details }: Verifier.Failure): WalwardenError {
  return new WalwardenError(code, message, { ...details, kind: details.kind as Kind });
}

/** Work that a signal stops, by `stop`; its promise is rejected once it has ended. */
export async function stoppable<T>(signal: AbortSignal | undefined, stop: () => void, work: () => T | Promise<T>) {
  if (signal?.aborted) stop();
  const ended = outcome(work);
  const stops = signal && stopped(signal).add(stop);
  try {
    return await ended;
  } finally {
    stops?.delete(stop);
  }
}

const SIGNALS = new WeakMap<AbortSignal, Set<() => void>>();

/** What a signal stops, under a listener for all: Node warns where a signal has more than ten. */
function stopped(signal: AbortSignal): Set<() => void> {
  const known = SIGNALS.get(signal);
  if (known) return known;
  const stops = new Set<() => void>();
  SIGNALS.set(signal, stops);
  signal.addEventListener('abort', () => stops.forEach((stop) => stop()), { once: true });
  return stops;
}

/** Has `console.log` show what the getters of a native class return, which Node leaves out. */
export function shown(...classes: ReadonlyArray<{ readonly name: string; readonly prototype: object }>): void {
  for (const { name, prototype } of classes) {
    const getters = Object.entries(Object.getOwnPropertyDescriptors(prototype)).filter(([, { get }]) => get);
    const value = function (this: object, _depth: number, options: object) {
      const members = getters.map(([member]) => [member, Reflect.get(this, member)]);
      return `${name} ${inspect(Object.fromEntries(members), options)}`;
    };
    Object.defineProperty(prototype, inspect.custom, { value });
  }
}
