import { argument, checked, kind, refused, type Members } from './arguments';
import { native, signing, storing, type Signer, type Storage } from './components';
import { outcome, stoppable } from './native';
import type * as Native from './native-cli';

export type { Signer, Storage, Upload } from './components';
export type { CheckedTable, Exported, Missing, Plan, Rebuilt, Restored, Sealed } from './native-cli';

/** Storage that {@link openStorage} opened. */
export type Destination = Native.Destination;

/** A signing key in a file of its own: Ed25519, PKCS#8 PEM, readable by its owner only. */
export type FileKey = Native.SigningKey;

export const FileKey = {
  /** Reads a key. */
  load: (path: string): Promise<FileKey> => fileKey(path, false),
  /** Draws a new key into a new file. */
  generate: (path: string): Promise<FileKey> => fileKey(path, true),
} as const;

async function fileKey(path: string, generate: boolean): Promise<FileKey> {
  argument('path', 'text', path);
  return outcome(() => native.fileKey(path, generate));
}

/** How a destination is opened. */
export interface StorageOptions {
  /**
   * Named as the environment variables of the provider's own tools (`AWS_ACCESS_KEY_ID` …), in lower case; taken from these
   * unless given.
   */
  credentials?: Record<string, string>;
  /** Whether a folder that is not there is made. */
  makeFolder?: boolean;
}

/**
 * Opens `file:///folder`, `s3://bucket/prefix?region=…`, `gs://…`, `az://…` or `memory://name`. A bucket is not contacted before
 * it is used.
 */
export async function openStorage(url: string, options: StorageOptions = {}): Promise<Destination> {
  argument('url', 'text', url);
  const { credentials, makeFolder } = checked(options, { credentials: 'credentials', makeFolder: 'flag' });
  return outcome(() => native.openStorage(url, credentials, makeFolder ?? false));
}

/** A job reached a state. */
export interface StateEvent {
  type: 'state';
  jobId: string;
  state: string;
  at: string;
  payload: Record<string, unknown>;
}

/** Something the operator should know that does not stop the job. */
export interface NoticeEvent {
  type: 'notice';
  text: string;
}

/** Bytes have moved; told ten times a second at most. */
export interface TransferEvent {
  type: 'transfer';
  doneBytes: number;
  totalBytes?: number;
}

export type Event = StateEvent | NoticeEvent | TransferEvent;

/** Members that every job has. */
export interface JobOptions {
  /** Stops the job at the next safe point. The promise is rejected (`cancelled`) when the job has recorded that. */
  signal?: AbortSignal | undefined;
  /** Is told what the job does, until its promise settles. What it throws becomes a warning and stops nothing. */
  onEvent?: ((event: Event) => unknown) | undefined;
}

/** Settings of an {@link Engine}. */
export interface EngineOptions extends Native.EngineOptions {
  /** Who signs; backups need one, restores do not. */
  signer?: FileKey | Signer | undefined;
}

/** What to back up and how. Schemas and tables are patterns as `pg_dump` takes them. */
export interface BackupOptions extends Native.BackupOptions, JobOptions {}

/** What to restore, and how. */
export interface RestoreOptions extends Omit<Native.RestoreOptions, 'tables'> {
  /** These tables alone, as schema (null for any) and name. */
  tables?: ReadonlyArray<readonly [schema: string | null, name: string]>;
  /** Stops the planning. */
  signal?: AbortSignal | undefined;
}

/** What a bundle should hold. */
export interface ExportOptions extends Native.ExportOptions {
  /** Stops it. */
  signal?: AbortSignal | undefined;
}

/** Which chains come back into a catalogue. */
export interface RebuildOptions extends Native.RebuildOptions {
  /** Stops it; chains that came back already stay. */
  signal?: AbortSignal | undefined;
}

/** Backs up, restores and exports evidence. */
export class Engine {
  readonly #engine: Native.Engine;
  readonly #patience: number | undefined;

  private constructor(engine: Native.Engine, patience: number | undefined) {
    this.#engine = engine;
    this.#patience = patience;
  }

  /** Opens an engine for the backups of one organisation. */
  static async open(orgId: string, options: EngineOptions = {}): Promise<Engine> {
    argument('orgId', 'text', orgId);
    const { signer, ...settings } = checked(options, ENGINE);
    const key = signer == null ? undefined : await signing(signer, settings.patienceSeconds);
    return new Engine(await outcome(() => native.openEngine(orgId, key, settings)), settings.patienceSeconds);
  }

  /**
   * Backs a database up; resolves when dump and manifest are stored, read back and recorded.
   *
   * `databaseId` names the chain and the folder in the destination. `source` is a connection string; what it leaves out, the
   * password above all, is taken from libpq's environment variables.
   */
  async backup(databaseId: string, source: string, to: Destination | Storage, options: BackupOptions = {}): Promise<Sealed> {
    argument('databaseId', 'text', databaseId);
    argument('source', 'text', source);
    const { signal, onEvent, ...what } = checked(options, BACKUP);
    const storage = await storing('to', to, this.#patience);
    const cancel = new native.Cancel();
    const work = () => this.#engine.backup(databaseId, source, storage, what, cancel, told(onEvent));
    return stoppable(signal, () => cancel.cancel(), work);
  }

  /** Finds and checks the manifest, looks at the target, and says what {@link restore} would do. Changes nothing. */
  async planRestore(
    manifestSha256: string,
    from: Destination | Storage,
    target: string,
    mode: 'new_database' | 'in_place',
    options: RestoreOptions = {},
  ): Promise<Plan> {
    argument('manifestSha256', 'text', manifestSha256);
    argument('target', 'text', target);
    argument('mode', 'text', mode);
    const { signal, tables, ...how } = checked(options, RESTORE);
    const named = tables?.map(([schema, name]) => (schema === null ? { name } : { schema, name }));
    const what = named ? { ...how, tables: named } : how;
    const storage = await storing('from', from, this.#patience);
    const cancel = new native.Cancel();
    const work = () => this.#engine.planRestore(manifestSha256, storage, target, mode, what, cancel);
    return stoppable(signal, () => cancel.cancel(), work);
  }

  /** Does what was planned; every byte is verified before it reaches the target. */
  async restore(plan: Plan, options: JobOptions = {}): Promise<Restored> {
    if (!(plan instanceof native.Plan)) throw refused(`plan must be what planRestore resolves to, and is ${kind(plan)}`);
    const { signal, onEvent } = checked(options, JOB);
    const cancel = new native.Cancel();
    return stoppable(signal, () => cancel.cancel(), () => this.#engine.restore(plan, cancel, told(onEvent)));
  }

  /** Writes a bundle of a database's evidence into a new file. */
  async exportEvidence(
    databaseId: string,
    storages: ReadonlyArray<Destination | Storage>,
    out: string,
    options: ExportOptions = {},
  ): Promise<Exported> {
    argument('databaseId', 'text', databaseId);
    argument('storages', 'list', storages);
    argument('out', 'text', out);
    const { signal, ...what } = checked(options, EXPORT);
    const from = await Promise.all(storages.map((storage) => storing('storages', storage, this.#patience)));
    const cancel = new native.Cancel();
    return stoppable(signal, () => cancel.cancel(), () => this.#engine.exportEvidence(databaseId, from, out, what, cancel));
  }

  /**
   * Enters the chains of a storage that the catalogue does not have, for one that was lost. A chain counts as far as one of
   * `publicKeys` signed its checkpoints.
   */
  async rebuildCatalog(storage: Destination | Storage, options: RebuildOptions): Promise<Rebuilt[]> {
    const { signal, ...what } = checked(options, REBUILD);
    argument('publicKeys', 'texts', what.publicKeys);
    const from = await storing('storage', storage, this.#patience);
    const cancel = new native.Cancel();
    return stoppable(signal, () => cancel.cancel(), () => this.#engine.rebuildCatalog(from, what, cancel));
  }

  /** Rows of the database's audit chain from `firstSeq` on, each in its own canonical JSON bytes. */
  async rows(databaseId: string, firstSeq = 1, limit = 1000): Promise<Uint8Array[]> {
    argument('databaseId', 'text', databaseId);
    argument('firstSeq', 'whole', firstSeq);
    argument('limit', 'whole', limit);
    return outcome(() => this.#engine.rows(databaseId, firstSeq, limit));
  }
}

type Plan = Native.Plan;
type Sealed = Native.Sealed;
type Restored = Native.Restored;
type Exported = Native.Exported;
type Rebuilt = Native.Rebuilt;

function told(onEvent: ((event: Event) => unknown) | undefined) {
  if (!onEvent) return undefined;
  const warn = (error: unknown) => process.emitWarning(`onEvent threw: ${String(error)}`, 'WalwardenWarning');
  return (event: Native.Event | null) => {
    if (event) void (async () => onEvent(typed(event)))().catch(warn);
  };
}

function typed({ payload, ...event }: Native.Event): Event {
  const members = payload === undefined ? event : { ...event, payload: JSON.parse(payload) as unknown };
  return members as Event;
}

const JOB: Members<JobOptions> = { signal: 'signal', onEvent: 'function' };

const ENGINE: Members<EngineOptions> = {
  signer: 'component',
  patienceSeconds: 'number',
  catalog: 'text',
  spoolDir: 'text',
  worker: 'text',
  attempts: 'whole',
  backoffSeconds: 'number',
  clientDirs: 'texts',
};

const BACKUP: Members<BackupOptions> = {
  ...JOB,
  jobs: 'whole',
  compression: 'text',
  roles: 'flag',
  noOwner: 'flag',
  noPrivileges: 'flag',
  schemas: 'texts',
  excludeSchemas: 'texts',
  tables: 'texts',
  excludeTables: 'texts',
  excludeTableData: 'texts',
  lockTimeoutSeconds: 'whole',
};

const RESTORE: Members<RestoreOptions> = {
  signal: 'signal',
  publicKeys: 'texts',
  createdDatabase: 'text',
  confirmDestructive: 'flag',
  fromDestination: 'flag',
  noOwner: 'flag',
  noPrivileges: 'flag',
  tables: 'tables',
  schemas: 'texts',
  scope: 'text',
  jobs: 'whole',
  check: 'text',
  spooling: 'text',
};

const EXPORT: Members<ExportOptions> = { signal: 'signal', artifacts: 'flag', allowMissing: 'flag' };

const REBUILD: Members<RebuildOptions> = { signal: 'signal', publicKeys: 'texts', databaseId: 'text', acceptUncovered: 'flag' };
