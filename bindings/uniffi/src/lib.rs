//! The verifier, and what a restore would do, for Kotlin, Swift, Ruby and whatever else UniFFI writes for. Each function
//! converts, calls and converts.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use walwarden_bindings::engine::{Engine, EngineOptions, RestoreOptions, open_storage, runtime};
use walwarden_bindings::{Bundle, Failure};
use walwarden_core::watch::Cancel;

uniffi::setup_scaffolding!();

/// What went wrong.
#[derive(Debug, uniffi::Error)]
pub enum WalwardenError {
    /// The only variant: codes are data, so that new ones break nobody.
    Failed {
        /// What the caller does next: `Invalid`, `Unavailable`, `Conflict`, `Refused`, `Damaged`, `Failed`, `Cancelled` or `Internal`.
        kind: String,
        /// The stable code.
        code: String,
        /// One line with the object concerned.
        text: String,
        /// What caused it, outermost first.
        causes: Vec<String>,
        /// One sentence on what to do.
        next_action: String,
        /// Whether the same call may succeed when repeated later.
        retryable: bool,
        /// The exit status with which a command would end.
        exit: u8,
    },
}

impl fmt::Display for WalwardenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WalwardenError::Failed { code, text, .. } = self;
        write!(f, "{text} [{code}]")
    }
}

impl std::error::Error for WalwardenError {}

impl<T: Into<Failure>> From<T> for WalwardenError {
    fn from(failure: T) -> Self {
        let Failure { kind, code, message, causes, next_action, retryable, exit } = failure.into();
        WalwardenError::Failed {
            kind: kind.to_owned(),
            code: code.to_owned(),
            text: message,
            causes,
            next_action: next_action.to_owned(),
            retryable,
            exit,
        }
    }
}

/// Whom an auditor trusts and what he demands.
#[derive(Debug, uniffi::Record)]
pub struct Trust {
    /// Keys of the chain, SPKI PEM; each text may hold several.
    #[uniffi(default = [])]
    pub public_keys: Vec<String>,
    /// Ids of keys (`sha256:…`) whose bytes are taken from the bundle.
    #[uniffi(default = [])]
    pub fingerprints: Vec<String>,
    /// Witnesses as C2SP vkeys; one of them is enough. Not together with a witness policy.
    #[uniffi(default = [])]
    pub witnesses: Vec<String>,
    /// Logs, witnesses and their quorum: a C2SP tlog-policy.
    #[uniffi(default = None)]
    pub witness_policy: Option<Vec<u8>>,
    /// What is demanded beyond the format: JSON of type `walwarden.audit-policy`.
    #[uniffi(default = None)]
    pub policy: Option<Vec<u8>>,
    /// The time of which the ages are taken that the policy limits (`2026-01-31T12:00:00.000Z`), not the present.
    #[uniffi(default = None)]
    pub as_of: Option<String>,
    /// A checkpoint of this chain that was kept earlier.
    #[uniffi(default = None)]
    pub since: Option<Vec<u8>>,
    /// Certificates of time stamping authorities, PEM.
    #[uniffi(default = [])]
    pub authorities: Vec<String>,
    /// The level to reach, 0 to 4; 2 unless given.
    #[uniffi(default = None)]
    pub level: Option<u8>,
    /// The present, which the report states; the machine's clock unless given.
    #[uniffi(default = None)]
    pub now: Option<String>,
}

/// One check and what became of it.
#[derive(Debug, uniffi::Record)]
pub struct Finding {
    /// `ok`, `failed` or `not_checked`.
    pub status: String,
    /// Which check; stable.
    pub code: String,
    /// What it concerns, where that is one thing.
    pub object: Option<String>,
    /// The line that the command prints, control and bidirectional characters escaped.
    pub text: String,
}

/// Everything a verification found.
#[derive(Debug, uniffi::Record)]
pub struct Report {
    /// The exit status of `walwarden-verify`: 0 where the level is reached.
    pub exit: u8,
    /// The highest level reached; none when the evidence contradicts itself or is malformed.
    pub level: Option<u8>,
    /// In a few words, whether the asked level is reached.
    pub verdict: String,
    /// Every check, in the order made.
    pub findings: Vec<Finding>,
    /// What stays open, in plain words.
    pub not_proven: Vec<String>,
    /// Canonical JSON, `spec/report.schema.json`.
    pub json: Vec<u8>,
    /// A page for working papers.
    pub html: String,
}

/// Checks an evidence bundle in a file, offline.
#[uniffi::export]
pub fn verify_file(bundle: String, trust: Trust) -> Result<Report, WalwardenError> {
    verify(Bundle::File(PathBuf::from(bundle)), trust)
}

/// Checks an evidence bundle in memory, offline.
#[uniffi::export]
pub fn verify_bytes(bundle: Vec<u8>, trust: Trust) -> Result<Report, WalwardenError> {
    verify(Bundle::Bytes(bundle), trust)
}

fn verify(bundle: Bundle, given: Trust) -> Result<Report, WalwardenError> {
    let trust = walwarden_verify::Trust {
        public_keys: given.public_keys,
        fingerprints: given.fingerprints,
        witnesses: given.witnesses,
        witness_policy: given.witness_policy,
        policy: given.policy,
        as_of: given.as_of,
        kept_checkpoint: given.since,
        authorities: given.authorities,
        level: given.level,
    };
    let report = walwarden_bindings::verify(bundle, &trust, given.now.as_deref(), || false)?;
    let finding = |finding: &walwarden_verify::Finding| Finding {
        status: finding.status.word().to_owned(),
        code: finding.reason.text().to_owned(),
        object: finding.object.clone(),
        text: finding.to_string(),
    };
    Ok(Report {
        exit: report.exit().status(),
        level: report.level.map(walwarden_verify::Level::number),
        verdict: report.verdict().to_owned(),
        findings: report.findings.iter().map(finding).collect(),
        not_proven: report.not_proven().iter().map(|not| not.text.to_string()).collect(),
        json: report.to_json(),
        html: report.to_html(),
    })
}

/// A restore that is thought of.
#[derive(Debug, uniffi::Record)]
pub struct PlannedRestore {
    /// The organisation whose backup it is.
    pub org_id: String,
    /// The manifest's hash.
    pub manifest_sha256: String,
    /// Where the backup lies: `file://`, `s3://`, `gs://` or `az://`.
    pub storage: String,
    /// Credentials for it; taken from the environment variables of the provider's own tools unless given.
    #[uniffi(default = None)]
    pub credentials: Option<HashMap<String, String>>,
    /// Keys that are trusted, SPKI PEM; one of them must have signed the manifest.
    pub public_keys: Vec<String>,
    /// Connection string of the target.
    pub target: String,
    /// `new_database` or `in_place`.
    pub mode: String,
    /// `new_database` only: the new database's name, if not the source's.
    #[uniffi(default = None)]
    pub created_database: Option<String>,
    /// Folders with `pg_restore`, looked into before `PATH`.
    #[uniffi(default = [])]
    pub client_dirs: Vec<String>,
}

/// What a restore would do.
#[derive(Debug, uniffi::Record)]
pub struct Plan {
    /// The database that would hold the data.
    pub database: String,
    /// Version of the target server.
    pub target_version: String,
    /// Whether the dump would first be copied into the spool folder.
    pub spools: bool,
    /// In place: whether a failure would leave the old contents as they were.
    pub in_one_transaction: bool,
    /// In place: what is in the target now.
    pub dropped: Vec<String>,
    /// What the operator should know.
    pub notices: Vec<String>,
}

/// Finds and checks the manifest, looks at the target, and says what a restore would do. Changes nothing; waits for the answer.
#[uniffi::export]
pub fn plan_restore(restore: PlannedRestore) -> Result<Plan, WalwardenError> {
    runtime()?.block_on(async {
        let client_dirs = restore.client_dirs.into_iter().map(PathBuf::from).collect();
        let options = EngineOptions { org_id: restore.org_id, client_dirs, ..EngineOptions::default() };
        let engine = Engine::open(options, None).await?;
        let credentials = restore.credentials.map(|credentials| credentials.into_iter().collect());
        let storage = open_storage(&restore.storage, credentials, false).await?;
        let wanted = RestoreOptions {
            manifest_sha256: restore.manifest_sha256,
            public_keys: restore.public_keys,
            target: restore.target,
            mode: restore.mode,
            created_database: restore.created_database,
            // A plan drops nothing.
            confirm_destructive: true,
            ..RestoreOptions::default()
        };
        let plan = engine.plan(wanted, storage, Cancel::default()).await?;
        Ok(Plan {
            database: plan.database().to_owned(),
            target_version: plan.target_version().to_owned(),
            spools: plan.spools(),
            in_one_transaction: plan.in_one_transaction(),
            dropped: plan.dropped().to_vec(),
            notices: plan.notices().to_vec(),
        })
    })
}
