import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

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

function raised({ code, message, ...details }: Verifier.Failure): WalwardenError {
  return new WalwardenError(code, message, { ...details, kind: details.kind as Kind });
}

/** The members that an object of options may have, and which of them are whole numbers. */
export type Members<Options> = Record<keyof Options, 'whole' | 'any'>;

/** Throws for members that do not exist: a misspelt demand must not pass for one that is met. */
export function checked<Options extends object>(options: Options, members: Members<Options>): Options {
  for (const [name, value] of Object.entries(options)) {
    const kind = Object.hasOwn(members, name) ? members[name as keyof Options] : undefined;
    if (kind === undefined) throw raised(native.argumentInvalid(`there is no option ${name}`));
    if (kind === 'whole' && value != null) whole(name, value);
  }
  return options;
}

/** Throws for what is not a whole number; native code would round it. */
export function whole(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  throw raised(native.argumentInvalid(`${name} is no whole number ${name}=${String(value)}`));
}
