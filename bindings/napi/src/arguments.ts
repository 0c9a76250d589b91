import { isMap, isPromise, isUint8Array } from 'node:util/types';

import type { WalwardenError } from './error';
import { native, raised } from './native';

const isText = (value: unknown) => typeof value === 'string';
const isRecord = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isMap(value) && !isPromise(value);
const isWhole = (value: unknown) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32;
const isListed = (value: unknown) => Array.isArray(value) && value.length === 2 && isText(value[0]) && typeof value[1] === 'number';
const isTable = (value: unknown) => Array.isArray(value) && value.length === 2 && (value[0] === null || isText(value[0])) && isText(value[1]);

const UPLOAD = ['write', 'finish', 'abort'];

export function has(value: unknown, method: string): boolean {
  return typeof (value as Record<string, unknown> | null | undefined)?.[method] === 'function';
}

/** What an argument, or the answer of a component, may be, in words and as a test. */
const SHAPES = {
  text: ['a string', isText],
  texts: ['a list of strings', (value: unknown) => Array.isArray(value) && value.every(isText)],
  octets: ['a Uint8Array', isUint8Array],
  bundle: ['a path or a Uint8Array', (value: unknown) => isText(value) || isUint8Array(value)],
  flag: ['true or false', (value: unknown) => typeof value === 'boolean'],
  number: ['a number', (value: unknown) => typeof value === 'number'],
  size: ['a number of bytes, or null', (value: unknown) => value === null || typeof value === 'number'],
  whole: ['a whole number from 0 to 4294967295', isWhole],
  component: ['an object', () => true],
  list: ['a list', Array.isArray],
  tables: ['a list of [schema or null, name]', (value: unknown) => Array.isArray(value) && value.every(isTable)],
  listed: ['a list of [name, number of bytes]', (value: unknown) => Array.isArray(value) && value.every(isListed)],
  upload: ['an object with the methods write, finish and abort', (value: unknown) => UPLOAD.every((method) => has(value, method))],
  record: ['an object', isRecord],
  credentials: ['an object of strings', (value: unknown) => isRecord(value) && Object.values(value).every(isText)],
  function: ['a function', (value: unknown) => typeof value === 'function'],
  signal: ['an AbortSignal', (value: unknown) => isRecord(value) && 'aborted' in value && 'addEventListener' in value],
} as const satisfies Record<string, readonly [string, (value: unknown) => boolean]>;

export type Shape = keyof typeof SHAPES;

/** The value; throws where it is not what it must be, and tells of it no more than its type: it may be a secret. */
export function argument<T>(name: string, shape: Shape, value: T): T {
  const told = unlike(shape, value);
  if (told !== undefined) throw refused(`${name} ${told}`);
  return value;
}

/** Says what a value must be and is, unless it is that. */
export function unlike(shape: Shape, value: unknown): string | undefined {
  const [what, matches] = SHAPES[shape];
  return matches(value) ? undefined : `must be ${what}, and is ${kind(value)}`;
}

/** The error of an argument without meaning. */
export function refused(message: string): WalwardenError {
  return raised(native.argumentInvalid(message));
}

/** What a value is, in a word. */
export function kind(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return value.constructor?.name || 'an object';
}

/** The members that an object of options may have, and what each must be. */
export type Members<Options> = Record<keyof Options, Shape>;

/**
 * The members of options that are given, inherited ones and accessors too, each read once. Throws for members that do not exist: a
 * misspelt demand must not pass for one that is met, nor one that nobody sees.
 */
export function checked<Options extends object>(options: Options, members: Members<Options>): Options {
  argument('options', 'record', options);
  for (const name in options) {
    if (!Object.hasOwn(members, name)) throw refused(`there is no option ${name}`);
  }
  const given: Partial<Options> = {};
  for (const name of Object.keys(members) as Array<keyof Options & string>) {
    const value = options[name];
    if (value != null) given[name] = argument(name, members[name], value);
  }
  return given as Options;
}
