import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';

import { WalwardenError, type Kind } from './error';
import type * as Verifier from './native-verifier';

const folder = join(__dirname, '..');
const suffix = { linux: '-gnu', win32: '-msvc' }[process.platform as string] ?? '';
const platform = `${process.platform}-${process.arch}${suffix}`;

/** The package's native module for this platform. */
export function load<Module>(): Module {
  const file = join(folder, `walwarden.${platform}.node`);
  const present = readdirSync(folder).filter((name) => name.endsWith('.node'));
  const advice = `This package has ${present.join(', ') || 'no native module'}. Build one from source: docs/node.md of the repository.`;
  if (!existsSync(file)) throw new Error(`Walwarden has no native module for ${platform}. ${advice}`);
  try {
    return require(file) as Module;
  } catch (cause) {
    throw new Error(`Walwarden's native module for ${platform} cannot be loaded. ${advice}`, { cause });
  }
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
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await ended;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
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
