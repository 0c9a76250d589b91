use std::path::PathBuf;

use napi::Env;
use napi::bindgen_prelude::{Buffer, Either, Object, Uint8Array};
use napi_derive::napi;
use walwarden_bindings::{Bundle, Turn};

use crate::{Failure, promise};

/// Whom an auditor trusts and what he demands.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct Trust {
    /// Keys of the chain, SPKI PEM; each text may hold several.
    pub public_keys: Option<Vec<String>>,
    /// Ids of keys (`sha256:…`) whose bytes are taken from the bundle.
    pub fingerprints: Option<Vec<String>>,
    /// Witnesses as C2SP vkeys; one of them is enough. Not together with a witness policy.
    pub witnesses: Option<Vec<String>>,
    /// Logs, witnesses and their quorum: a C2SP tlog-policy.
    pub witness_policy: Option<Uint8Array>,
    /// What is demanded beyond the format: JSON of type `walwarden.audit-policy`.
    pub policy: Option<Uint8Array>,
    /// The time of which the ages are taken that the policy limits, in the place of the present; the report says so.
    pub as_of: Option<String>,
    /// A checkpoint of this chain that was kept earlier.
    pub since: Option<Uint8Array>,
    /// Certificates of time stamping authorities, PEM.
    pub authorities: Option<Vec<String>>,
    /// The level to reach, 0 to 4; 2 unless given.
    pub level: Option<u32>,
    /// The present, which the report states, as `2026-01-31T12:00:00.000Z`; the machine's clock unless given.
    pub now: Option<String>,
}

/// One check and what became of it.
#[napi(object, object_from_js = false)]
pub struct Finding {
    /// `ok`, `failed` or `not_checked`.
    pub status: String,
    /// Which check; stable.
    pub code: String,
    /// What it concerns: a path in the bundle, `row 7`, or what the auditor brought, as `policy`.
    pub object: Option<String>,
    /// One line for people, as it is.
    pub detail: String,
    /// The line that the command prints, control and bidirectional characters escaped.
    pub text: String,
}

/// A key of the chain.
#[napi(object, object_from_js = false)]
pub struct ChainKey {
    pub key_id: String,
    /// The row from which it holds.
    pub from_seq: f64,
    /// Whether you named it.
    pub pinned: bool,
    /// The row that revoked it.
    pub revoked_seq: Option<f64>,
}

/// Everything a verification found.
#[napi]
pub struct Report(walwarden_verify::Report);

#[napi]
impl Report {
    /// The exit status of `walwarden-verify`: 0 where the level is reached.
    #[napi(getter)]
    pub fn exit(&self) -> u8 {
        self.0.exit().status()
    }

    /// In a few words, whether the asked level is reached.
    #[napi(getter)]
    pub fn verdict(&self) -> &'static str {
        self.0.verdict()
    }

    /// The highest level reached; null when the evidence contradicts itself or is malformed.
    #[napi(getter)]
    pub fn level(&self) -> Option<u8> {
        self.0.level.map(walwarden_verify::Level::number)
    }

    /// The level that was asked for.
    #[napi(getter)]
    pub fn asked(&self) -> u8 {
        self.0.asked.number()
    }

    #[napi(getter)]
    pub fn findings(&self) -> Vec<Finding> {
        self.0.findings.iter().map(finding).collect()
    }

    #[napi(getter)]
    pub fn failures(&self) -> Vec<Finding> {
        self.0.failures().map(finding).collect()
    }

    #[napi(getter)]
    pub fn keys(&self) -> Vec<ChainKey> {
        let key = |key: &walwarden_verify::ChainKey| ChainKey {
            key_id: key.key_id.to_string(),
            from_seq: key.from_seq as f64,
            pinned: key.pinned,
            revoked_seq: key.revoked_seq.map(|seq| seq as f64),
        };
        self.0.keys.iter().map(key).collect()
    }

    /// What stays open, in plain words.
    #[napi(getter)]
    pub fn not_proven(&self) -> Vec<String> {
        self.0.not_proven().iter().map(|not| not.text.to_string()).collect()
    }

    /// Rows that were read.
    #[napi(getter)]
    pub fn events(&self) -> f64 {
        self.0.events as f64
    }

    /// Manifests whose signature is good.
    #[napi(getter)]
    pub fn manifests(&self) -> f64 {
        self.0.manifests as f64
    }

    /// Dumps that were compared with their manifest and match.
    #[napi(getter)]
    pub fn artifacts_checked(&self) -> f64 {
        self.0.artifacts_checked as f64
    }

    /// Canonical JSON, `spec/report.schema.json`.
    #[napi]
    pub fn to_json(&self) -> Buffer {
        self.0.to_json().into()
    }

    /// A page for working papers.
    #[napi]
    pub fn to_html(&self) -> String {
        self.0.to_html()
    }

    /// One line for each check, and the verdict.
    #[napi(js_name = "toString")]
    pub fn text(&self) -> String {
        format!("{}{}", self.0, self.0.verdict())
    }
}

fn finding(finding: &walwarden_verify::Finding) -> Finding {
    Finding {
        status: finding.status.word().to_owned(),
        code: finding.reason.text().to_owned(),
        object: finding.object.clone(),
        detail: finding.detail.clone(),
        text: finding.to_string(),
    }
}

/// Stops a verification.
#[napi]
pub struct Stop(Turn);

#[napi]
impl Stop {
    #[napi(constructor)]
    pub fn new() -> Self {
        Stop(Turn::default())
    }

    /// Has it end now if it has not begun, or else at its next read.
    #[napi]
    pub fn stop(&self) {
        self.0.cancel();
    }
}

/// Verifies a bundle, a path or its bytes. The bytes are copied, for they may be changed meanwhile.
#[napi(ts_return_type = "Promise<Report | Failure>")]
pub fn verify<'env>(
    env: &'env Env,
    bundle: Either<String, Uint8Array>,
    trust: Trust,
    stop: &Stop,
) -> napi::Result<Object<'env>> {
    let bundle = match bundle {
        Either::A(path) => Bundle::File(PathBuf::from(path)),
        Either::B(bytes) => Bundle::Bytes(bytes.to_vec()),
    };
    let octets = |given: Option<Uint8Array>| given.map(|bytes| bytes.to_vec());
    let Trust {
        public_keys,
        fingerprints,
        witnesses,
        witness_policy,
        policy,
        as_of,
        since,
        authorities,
        level,
        now,
    } = trust;
    let trust = walwarden_verify::Trust {
        public_keys: public_keys.unwrap_or_default(),
        fingerprints: fingerprints.unwrap_or_default(),
        witnesses: witnesses.unwrap_or_default(),
        witness_policy: octets(witness_policy),
        policy: octets(policy),
        as_of,
        kept_checkpoint: octets(since),
        authorities: authorities.unwrap_or_default(),
        // Which levels there are is not said here.
        level: level.map(|level| u8::try_from(level).unwrap_or(u8::MAX)),
    };
    let (settle, promise) = promise(env)?;
    let told = move |verified: Result<_, _>| {
        settle.with(move || match verified {
            Ok(report) => Either::A(Report(report)),
            Err(failure) => Either::B(Failure::from(failure)),
        });
    };
    walwarden_bindings::verify_in_turn(bundle, trust, now, &stop.0, told);
    Ok(promise)
}
