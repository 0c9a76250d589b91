/** What the caller does next. */
export type Kind =
  /** The call is wrong: fix it, then call again. */
  | 'Invalid'
  /** Something is out of reach for now: try again later. */
  | 'Unavailable'
  /** Someone else moved first: read again, then decide. */
  | 'Conflict'
  /** Not allowed: a key, token, permission or lock stands in the way. */
  | 'Refused'
  /** Stored data contradicts itself. */
  | 'Damaged'
  /** An outside program or server, or a component of one's own, said no: do not retry blindly. */
  | 'Failed'
  /** The caller asked to stop. */
  | 'Cancelled'
  /** A defect of Walwarden: report it. */
  | 'Internal';

/** What else an error tells. */
export interface ErrorDetails {
  kind?: Kind;
  causes?: string[];
  nextAction?: string;
  retryable?: boolean;
  exit?: number;
}

/**
 * What went wrong. `code` is stable; `message` is one line.
 *
 * An own signer or storage may throw one with a code of its choice: `new WalwardenError('storage-full', 'the vault is full')`.
 */
export class WalwardenError extends Error {
  override readonly name = 'WalwardenError';
  readonly code: string;
  /** What the caller does next; undefined for one that you made yourself without. */
  readonly kind: Kind | undefined;
  /** What caused it, outermost first. */
  readonly causes: readonly string[];
  /** One sentence on what to do. */
  readonly nextAction: string;
  /** Whether the same call may succeed when repeated later. */
  readonly retryable: boolean;
  /** The exit status with which a command would end. */
  readonly exit: number;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message);
    this.code = code;
    this.kind = details.kind;
    this.causes = details.causes ?? [];
    this.nextAction = details.nextAction ?? '';
    this.retryable = details.retryable ?? false;
    this.exit = details.exit ?? 3;
  }
}
