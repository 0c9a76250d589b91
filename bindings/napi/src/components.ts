import { has, kind, refused, unlike, type Shape } from './arguments';
import type { WalwardenError } from './error';
import { load, outcome, shown } from './native';
import type * as Engine from './native-cli';

export const native = load<typeof Engine>();

shown(native.Destination, native.Plan, native.SigningKey);

type Awaitable<T> = T | Promise<T>;

/** Signs with an Ed25519 key that never leaves it: a KMS, an HSM, a vault. */
export interface Signer {
  /** The public half, SPKI PEM. */
  readonly publicKey: string;
  /** An Ed25519 signature (RFC 8032, 64 bytes) over exactly these bytes. */
  sign(message: Uint8Array): Awaitable<Uint8Array>;
}

/** One object on its way into a {@link Storage}. */
export interface Upload {
  /** What {@link Storage.abandon} needs to clean up after a process that was killed. */
  readonly id?: string | undefined;
  /** Appends bytes. */
  write(chunk: Uint8Array): Awaitable<unknown>;
  /** Makes the object visible, whole and durable, unless there is one of its name: then `WalwardenError('object-exists', …)`. */
  finish(): Awaitable<unknown>;
  /** Gives up and removes what was sent. */
  abort(): Awaitable<unknown>;
}

/**
 * Keeps objects under names like `org/acme/db/shop/…`, each written once and never changed. Several methods may be under way at
 * once.
 */
export interface Storage {
  /** Begins an object of unknown length. Nothing is visible before {@link Upload.finish}. */
  upload(name: string): Awaitable<Upload>;
  /** The size of an object in bytes, or null where there is none. */
  size(name: string): Awaitable<number | null>;
  /** Exactly so many bytes of an object from `start` on. */
  read(name: string, start: number, length: number): Awaitable<Uint8Array>;
  /** Name and size of every object below `prefix/`; of all of them where it is empty. */
  list(prefix: string): Awaitable<ReadonlyArray<readonly [name: string, sizeBytes: number]>>;
  /** Removes what the upload of this id left behind; fine to repeat. */
  abandon(name: string, upload: string): Awaitable<unknown>;
  /** Whether the store itself refuses a second object of a name, also when two writers race. */
  putIfAbsent(): Awaitable<boolean>;
}

export async function signing(given: Engine.SigningKey | Signer, patience?: number): Promise<Engine.SigningKey> {
  if (given instanceof native.SigningKey) return given;
  const told = having('signer is neither a FileKey nor a Signer', given, ['sign']);
  if (typeof given.publicKey !== 'string') throw refused(`${told}: its publicKey is ${kind(given.publicKey)}, and must be a string`);
  const sign = (message: Buffer) => answered(async () => copy(fit('octets', await given.sign(message))));
  return outcome(() => native.ownSigner(given.publicKey, sign, patience));
}

export async function storing(name: string, given: Engine.Destination | Storage, patience?: number): Promise<Engine.Destination> {
  if (given instanceof native.Destination) return given;
  having(`${name} is neither what openStorage resolves to nor a Storage`, given, STORAGE);
  return outcome(() => native.ownStorage(calls(given), patience));
}

const STORAGE = ['upload', 'size', 'read', 'list', 'abandon', 'putIfAbsent'] as const satisfies ReadonlyArray<keyof Storage>;

/** Throws, in these words and some more, unless it has these methods. */
function having(words: string, given: object, methods: readonly string[]): string {
  const told = `${words} but ${kind(given)}`;
  const missing = methods.find((method) => !has(given, method));
  if (missing === undefined) return told;
  throw refused(`${told}: ${given instanceof Promise ? 'await it' : `it has no method ${missing}`}`);
}

function calls(storage: Storage): Engine.StorageCalls {
  return {
    upload: (name) => answered(async () => uploading(fit('upload', await storage.upload(name)))),
    size: (name) => answered(async () => fit('size', (await storage.size(name)) ?? null)),
    read: (name, start, length) => answered(async () => copy(fit('octets', await storage.read(name, start, length)))),
    list: (prefix) => answered(async () => fit('listed', gathered(await storage.list(prefix))).map(([name, sizeBytes]) => ({ name, sizeBytes }))),
    abandon: (name, upload) => silent(() => storage.abandon(name, upload)),
    putIfAbsent: () => answered(async () => fit('flag', await storage.putIfAbsent())),
  };
}

function uploading(upload: Upload): Engine.UploadCalls {
  const id = upload.id;
  return {
    ...(id == null ? {} : { id: fit('text', id, 'its id') }),
    write: (chunk) => silent(() => upload.write(chunk)),
    finish: () => silent(() => upload.finish()),
    abort: () => silent(() => upload.abort()),
  };
}

/**
 * Answers that native code waits for. Without it a promise that its component has forgotten is collected as garbage, which native
 * code sees as the end of the component, not as one that does not answer.
 */
const awaited = new Set<Promise<unknown>>();

/** Never rejects: nothing may be thrown into native code. */
async function answered<T>(call: () => Promise<T>): Promise<T | Engine.Thrown> {
  const answer = call();
  awaited.add(answer);
  try {
    return await answer;
  } catch (error) {
    return thrown(error);
  } finally {
    awaited.delete(answer);
  }
}

function thrown(error: unknown): Engine.Thrown {
  if (error instanceof Unfit) return { message: error.message };
  try {
    // By its name: both packages have the class, and there may be several copies of either.
    const { name, code, message } = error as WalwardenError;
    if (error instanceof Error && name === 'WalwardenError' && code !== undefined) return { code: text(code), message: text(message) };
  } catch {
    // Its members cannot even be read.
  }
  return { message: `threw ${text(error)}` };
}

async function silent(call: () => unknown): Promise<null | Engine.Thrown> {
  return answered(async () => {
    await call();
    return null;
  });
}

/** Of an answer that is not what it must be. */
class Unfit extends Error {}

function fit<T>(shape: Shape, answer: T, name = 'it'): T {
  const told = unlike(shape, answer);
  if (told !== undefined) throw new Unfit(`returned what it must not: ${name} ${told}`);
  return answer;
}

/** The members of what can be gone through, and everything else as it is. */
function gathered<T>(members: Iterable<T>): readonly T[] {
  const given: unknown = members;
  return typeof given === 'object' && given !== null && Symbol.iterator in given ? [...members] : (given as readonly T[]);
}

/** In memory that nobody else can change or take away. */
function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function text(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'something without a text';
  }
}
