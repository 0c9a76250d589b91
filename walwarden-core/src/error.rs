//! What can go wrong, said to the person who has to act on it.
//!
//! One [`Error`] crosses every public boundary. Its [`Kind`] names what the caller does next, its [`Code`] is
//! stable across languages and releases, and both come from one table: `spec/outcomes.md`.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// Result of every fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The call is wrong: fix it, then call again.
    Invalid,
    /// Something is out of reach for now: try again later.
    Unavailable,
    /// Someone else moved first: read again, then decide.
    Conflict,
    /// Not allowed: a key, token, permission or lock stands in the way.
    Refused,
    /// Stored data contradicts itself.
    Damaged,
    /// An outside program or server said no: do not retry blindly.
    Failed,
    /// The caller asked to stop.
    Cancelled,
    /// A defect of ours: report it.
    Internal,
}

impl Kind {
    /// Its name as `spec/outcomes.md` writes it.
    pub const fn text(self) -> &'static str {
        match self {
            Kind::Invalid => "Invalid",
            Kind::Unavailable => "Unavailable",
            Kind::Conflict => "Conflict",
            Kind::Refused => "Refused",
            Kind::Damaged => "Damaged",
            Kind::Failed => "Failed",
            Kind::Cancelled => "Cancelled",
            Kind::Internal => "Internal",
        }
    }
}

/// Whether the same call may succeed when repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Yes, after a pause.
    Yes,
    /// Not without a change.
    No,
    /// After the caller has read the current state again.
    AfterReading,
}

/// The published exit statuses (`spec/outcomes.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// A transient fault; the job may be tried again.
    Retryable = 1,
    /// Something to correct first; nothing was restored, replaced or removed.
    UserError = 2,
    /// The job ended for good.
    Terminal = 3,
    /// Stopped by SIGTERM or SIGINT.
    Cancelled = 4,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $text:literal $kind:ident $exit:ident $next:literal;)*) => {
        /// Stable name of an outcome. The text form is the failure class in events, JSON and HTTP answers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of `spec/outcomes.md`.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The stable text, e.g. `source-unreachable`.
            pub const fn text(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// What the caller does next.
            pub const fn kind(self) -> Kind {
                match self { $(Code::$name => Kind::$kind,)* }
            }

            /// The exit status a command ends with.
            pub const fn exit(self) -> Exit {
                match self { $(Code::$name => Exit::$exit,)* }
            }

            /// One sentence that tells the reader what to do.
            pub const fn next_action(self) -> &'static str {
                match self { $(Code::$name => $next,)* }
            }
        }
    };
}

codes! {
    /// An argument or a setting has no meaning here.
    ArgumentInvalid "argument-invalid" Invalid UserError "Correct the named argument or setting, and try again.";
    /// The settings file cannot be read or understood.
    SettingsInvalid "settings-invalid" Invalid UserError "Correct the named line of the settings file, or the named variable.";
    /// No database of that name is configured.
    DatabaseUnknown "database-unknown" Invalid UserError "Run `walwarden database list` for the configured names, or add it with `walwarden database add`.";
    /// A database of that name is configured already.
    DatabaseExists "database-exists" Invalid UserError "Choose another name, or remove the existing one first.";
    /// No job with that id.
    JobUnknown "job-unknown" Invalid UserError "Run `walwarden backup list` for the known jobs.";
    /// The connection string cannot be understood.
    DsnInvalid "dsn-invalid" Invalid UserError "Give a postgres:// URL or key=value pairs, as libpq takes them.";
    /// The destination URL cannot be understood.
    DestinationInvalid "destination-invalid" Invalid UserError "Give file://, s3://, gs:// or az:// with the bucket or folder.";

    /// No client program of a fitting major version.
    ClientMissing "client-missing" Refused UserError "Install the PostgreSQL client programs of the named major, or name their folder in `client_dirs`.";
    /// The source server cannot be reached.
    SourceUnreachable "source-unreachable" Unavailable Retryable "Check host, port and network of the source; the job may be tried again.";
    /// The source refused the login.
    SourceLoginRefused "source-login-refused" Refused UserError "Check user, password and pg_hba.conf of the source.";
    /// The source database does not exist.
    SourceDatabaseMissing "source-database-missing" Invalid UserError "Check the database name in the connection string.";
    /// The role may not read something the dump needs.
    SourcePermission "source-permission" Refused Terminal "Grant the right to read it (pg_read_all_data covers tables and schemas; row security needs BYPASSRLS), or exclude the object.";
    /// A lock could not be taken in time.
    SourceLocked "source-locked" Unavailable Retryable "Wait for the other transaction, or raise the lock timeout.";
    /// The connection broke during the dump.
    SourceConnectionLost "source-connection-lost" Unavailable Retryable "Check the source server and the network; the job may be tried again.";
    /// The source has no room for the locks that the dump needs.
    SourceLocksExhausted "source-locks-exhausted" Failed Terminal "Raise max_locks_per_transaction on the source (and restart it): a dump locks every table at once. Or exclude schemas.";
    /// `pg_dump` ended with an error of its own.
    DumpFailed "dump-failed" Failed Terminal "Read the quoted pg_dump output; correct the cause and start a new backup.";
    /// `pg_dump` was killed by a signal.
    DumpKilled "dump-killed" Unavailable Retryable "Find out who killed pg_dump (out of memory?); the job may be tried again.";

    /// The destination cannot be reached or answers with a transient fault.
    StorageUnavailable "storage-unavailable" Unavailable Retryable "Check the destination and the network; the job may be tried again.";
    /// The destination refused the credentials or the action.
    StorageDenied "storage-denied" Refused Terminal "Check the credentials and the bucket policy for the named action.";
    /// The bucket or folder does not exist.
    StorageMissing "storage-missing" Invalid Terminal "Mount the destination, or create its bucket or folder. Walwarden makes a folder only for a database that was never backed up, and none above it.";
    /// No object of that name.
    ObjectMissing "object-missing" Damaged Terminal "Look for the object in the destination; another copy of it may be needed.";
    /// An object of that name exists already and is never overwritten.
    ObjectExists "object-exists" Conflict Terminal "Another writer stored this object; check that only one installation uses this destination path.";
    /// The destination has no room left.
    StorageFull "storage-full" Unavailable Retryable "Free space at the destination; the job may be tried again.";
    /// What came back differs from what was sent.
    ReadBackMismatch "read-back-mismatch" Damaged Terminal "Do not trust this destination: what it returns is not what was stored. Check the disk or the provider.";

    /// The key file does not exist, or no key is given.
    KeyMissing "key-missing" Invalid UserError "Name the key file (a restore takes the public key with --pubkey). Only if there never was one: `walwarden key generate`.";
    /// Other users can read the key file.
    KeyExposed "key-exposed" Refused UserError "Run `chmod 600` on the key file. If others may have read it, do not trust what it signs from now on.";
    /// The key file is malformed or weak.
    KeyInvalid "key-invalid" Invalid UserError "Use an Ed25519 key: PKCS#8 PEM for the private, SPKI PEM for the public part.";
    /// The chain goes on with another key.
    KeyOther "key-other" Refused UserError "Put the key back that this chain goes on with, or name its file in the settings.";
    /// A key exists already.
    KeyExists "key-exists" Invalid UserError "Keep the existing key, or name another file. A key is never overwritten.";

    /// Another process holds the catalogue.
    CatalogLocked "catalog-locked" Unavailable Retryable "Wait for the other walwarden process, then try again.";
    /// The catalogue cannot be written.
    CatalogReadOnly "catalog-read-only" Refused UserError "Make the catalogue file and its folder writable.";
    /// The disk under the catalogue has no room left.
    CatalogFull "catalog-full" Unavailable Retryable "Free space where the catalogue lies (WALWARDEN_HOME), then try again.";
    /// The catalogue file is damaged.
    CatalogCorrupt "catalog-corrupt" Damaged Terminal "Move the damaged file aside and run `walwarden catalog rebuild`.";
    /// The catalogue was written by a newer version.
    CatalogNewer "catalog-newer" Refused UserError "Upgrade walwarden; this version cannot read the catalogue.";
    /// Another worker holds the job.
    JobHeld "job-held" Conflict Retryable "Wait until the other worker finishes or its lease ends, then read the job again.";
    /// The job is not in a state that allows this.
    JobState "job-state" Conflict UserError "Read the job again; its state has moved on.";
    /// The worker that held the job vanished.
    WorkerLost "worker-lost" Unavailable Retryable "Nothing to do: the next run carries the job on.";
    /// The chain contradicts itself, or its copy in the destination.
    ChainDamaged "chain-damaged" Damaged Terminal "Keep everything as it is and compare with the copy in the destination. If the catalogue was put back or copied, move its files aside and rebuild it from there; otherwise the chain was altered.";
    /// The destination holds a chain of this database that the catalogue does not have.
    ChainExists "chain-exists" Refused UserError "If the catalogue was lost: `walwarden catalog rebuild --from URL` with this destination. If the database has a chain of its own already, or is to begin one: another destination, or add the database under another name.";
    /// Rows of the chain are covered by no checkpoint of a trusted key.
    ChainUncovered "chain-uncovered" Refused UserError "Compare the last row with a bundle or checkpoint kept elsewhere; if they agree, or a worker died before its checkpoint, rebuild again with --accept-uncovered.";
    /// The chain's key was revoked without a successor.
    ChainEnded "chain-ended" Refused Terminal "Add the database under a new name with a fresh key: a chain whose key was revoked takes no more rows. Rotate first, revoke after.";

    /// The file is no checkpoint that a known log signed.
    CheckpointInvalid "checkpoint-invalid" Refused UserError "To cosign, compare origin, key and clocks with those of the log; for a bundle, take a checkpoint of its own chain, from after the key was last rotated. Else the file was altered: get it again.";
    /// A later checkpoint of this log was cosigned before.
    CheckpointOlder "checkpoint-older" Conflict UserError "Ask the log for its latest checkpoint. If it has none as large as the one named above, it lost rows: keep both checkpoints.";
    /// A proof from the checkpoint that was cosigned last is needed.
    ProofNeeded "proof-needed" Conflict UserError "Ask the log for a proof from the size named above: `walwarden evidence checkpoint --since SIZE`.";
    /// The log does not go on from the checkpoint that was cosigned last.
    LogForked "log-forked" Damaged Terminal "Keep both checkpoints and ask the log's owner: either the proof is wrong, or the log shows two histories.";
    /// The witness's own state cannot be trusted.
    WitnessDamaged "witness-damaged" Damaged Terminal "Retire this witness and begin another with a new key: one that forgot what it cosigned may cosign a second history.";

    /// No manifest with that hash in the destination.
    ManifestMissing "manifest-missing" Invalid UserError "Check the hash (64 lower-case hex digits) and the destination.";
    /// The manifest is malformed or belongs to something else.
    ManifestInvalid "manifest-invalid" Damaged Terminal "Do not restore from it: the manifest was altered. Use another backup.";
    /// The manifest is not signed by a key the caller trusts.
    SignatureInvalid "signature-invalid" Damaged Terminal "Check the public key first: a key that was revoked is trusted only where --pubkey names it. Then treat the manifest as forged, and do not restore from it.";
    /// The stored dump is not what the manifest says.
    ArtifactMismatch "artifact-mismatch" Damaged Terminal "Do not restore from it: the dump was altered or cut. A restore that says this has replaced nothing in the target, and completed nothing there. Use another copy or another backup.";

    /// A backup has no archive index.
    IndexMissing "index-missing" Invalid UserError "Index the dump itself: `walwarden archive index FILE` works with any custom-format archive.";
    /// A file is no archive that can be read.
    ArchiveInvalid "archive-invalid" Damaged Terminal "The file is damaged, or no custom-format archive of pg_dump: use another copy.";
    /// An archive is not the one that was indexed.
    ArchiveMismatch "archive-mismatch" Damaged Terminal "Do not restore from it: the archive differs from its index as told above. Use another copy.";

    /// The target server cannot be reached.
    TargetUnreachable "target-unreachable" Unavailable UserError "Check host, port and network of the target, then run the restore again.";
    /// The target refused the login.
    TargetLoginRefused "target-login-refused" Refused UserError "Check user, password and pg_hba.conf of the target.";
    /// The database to be created exists.
    TargetExists "target-exists" Refused UserError "Drop it, restore under another name with --created-database, or use --mode in_place.";
    /// The database to be replaced does not exist.
    TargetMissing "target-missing" Invalid UserError "Name a database that exists: with new_database any will do, customarily `postgres`; for in_place create it first.";
    /// The restore into a new database failed, and the target server is older than the backup's.
    TargetTooOld "target-too-old" Refused UserError "Read the quoted pg_restore output; restore into a server of the source's major version or newer.";
    /// The role lacks a right on the target.
    TargetPermission "target-permission" Refused UserError "Give the role the named right on the target.";
    /// A destructive restore was not confirmed.
    ConfirmationMissing "confirmation-missing" Refused UserError "Add --confirm-destructive if the target's present contents may be dropped.";
    /// `pg_restore` ended with an error.
    RestoreFailed "restore-failed" Failed Terminal "Read what pg_restore or the server said; what it left behind is named above.";
    /// The connection to the target broke during the restore.
    TargetConnectionLost "target-connection-lost" Unavailable Retryable "Check the target server; what the restore left behind is named above.";
    /// A restored table differs from what was backed up.
    ContentMismatch "content-mismatch" Damaged Terminal "Report the named tables: what was restored is not what was backed up. A new database was removed again; do not use one that was restored in place.";

    /// A signer or storage of the caller's own threw, did not answer or answered with nonsense.
    ComponentFailed "component-failed" Failed Terminal "Correct the named signer or storage: it is the program's own, not part of Walwarden.";
    /// A local file could not be read or written.
    FileFailed "file-failed" Invalid UserError "Check the path, its permissions and the free space; a file that exists is never overwritten.";
    /// No room left for temporary files.
    SpoolFull "spool-full" Unavailable Retryable "Free space, or name a larger folder with --spool.";
    /// Stopped on request.
    Cancelled "cancelled" Cancelled Cancelled "Nothing to do: the job was stopped as asked.";
    /// A defect of Walwarden.
    Internal "internal" Internal Terminal "This is a defect of Walwarden: please report it with this message.";
}

impl Code {
    /// Whether the same call may succeed when repeated.
    pub const fn retry(self) -> Retry {
        match self.kind() {
            Kind::Unavailable => Retry::Yes,
            Kind::Conflict => Retry::AfterReading,
            _ => Retry::No,
        }
    }

    /// The code with this stable text.
    pub fn from_text(text: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.text() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Why an operation did not succeed.
///
/// The message is one line in lower case with the object it concerns; causes are in [`source`](StdError::source)
/// and not repeated in the text. Secrets never get in: callers pass what may be shown.
pub struct Error(Box<Inner>);

struct Inner {
    code: Code,
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with its stable code and the line the reader sees.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Error(Box::new(Inner { code, message: message.into(), source: None }))
    }

    /// The same, with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The message and those of all causes, each in one line.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![one_line(&self.to_string())];
        let mut source = StdError::source(self);
        while let Some(cause) = source {
            let line = one_line(&cause.to_string());
            // Wrappers that repeat their cause's text add nothing.
            if lines.last() != Some(&line) {
                lines.push(line);
            }
            source = cause.source();
        }
        lines
    }

    /// The message and those of all causes in one line, for notes that nobody else gives the causes of.
    pub(crate) fn with_causes(&self) -> String {
        let mut line = self.to_string();
        let mut source = StdError::source(self);
        while let Some(cause) = source {
            let words = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            // Wrappers that repeat their cause's text add nothing.
            if !words.is_empty() && !line.ends_with(&words) {
                line.push_str(": ");
                line.push_str(&words);
            }
            source = cause.source();
        }
        line
    }

    /// The same, under another message made from the present one.
    #[must_use]
    pub fn with_message(mut self, change: impl FnOnce(&str) -> String) -> Self {
        self.0.message = change(&self.0.message).into();
        self
    }

    /// The same, under another code.
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.0.code = code;
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What the caller does next.
    pub fn kind(&self) -> Kind {
        self.0.code.kind()
    }

    /// The message without its causes.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" | ")
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.0.code.text())
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
