use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Report;
use crate::canonical;
use crate::checkpoint::origin;
use crate::json::{Object, Value};
use crate::key::{PublicKey, Signature};
use crate::reason::Exit;
use crate::statement::{PAYLOAD_TYPE, pre_authentication_encoding};
use crate::{KeyId, Sha256, Trust, WitnessPolicy};

/// A Verification Summary Attestation (in-toto, <https://slsa.dev/verification_summary/v1>): the auditor says, under his
/// own key, what he verified, against which policy, and how it ended.
///
/// ```
/// use walwarden_verify::key::Signature;
/// use walwarden_verify::{KeyId, Report, Sha256, Trust};
///
/// fn sealed(report: &Report, trust: &Trust, key_id: KeyId, sign: impl Fn(&[u8]) -> Signature) -> Vec<u8> {
///     let summary = report.summary("acme-shop.evidence.tgz", Sha256::of(b"the bundle"), trust);
///     summary.seal(key_id, &sign(&summary.message()))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationSummary {
    payload: Vec<u8>,
}

impl Report {
    /// Sums the verification up, for a signature by the auditor, who brought `trust`. A report without a time says 1970: give the
    /// verifier a clock.
    pub fn summary(&self, bundle_name: &str, bundle: Sha256, trust: &Trust) -> VerificationSummary {
        let digest = |digest: Sha256| Value::Object(Object::from([("sha256", digest.to_string())]));
        let result = if self.exit() == Exit::Reached { "PASSED" } else { "FAILED" };
        let levels = self.levels().into_iter().filter(|_| self.exit() == Exit::Reached);
        let levels = levels.map(|level| Value::from(format!("WALWARDEN_LEVEL_{}", level.number())));
        let at = self.verified_at.map_or_else(|| "1970-01-01T00:00:00.000Z".to_owned(), |at| at.to_string());
        let keys = self.pinned_keys(trust).into_iter().map(Value::from).collect();
        let mut predicate = Object::from([
            (
                "verifier",
                Value::Object(Object::from([
                    ("id", Value::from("https://walwarden.dev/walwarden-verify")),
                    (
                        "version",
                        Value::Object(Object::from([("walwarden-verify", env!("CARGO_PKG_VERSION"))])),
                    ),
                ])),
            ),
            ("timeVerified", at.into()),
            ("resourceUri", bundle_name.into()),
            ("verificationResult", result.into()),
            ("verifiedLevels", Value::Array(levels.collect())),
            ("walwardenAsked", u32::from(self.asked.number()).into()),
            ("walwardenExit", u32::from(self.exit().status()).into()),
            ("walwardenPinnedKeys", Value::Array(keys)),
        ]);
        if let Some(as_of) = self.as_of {
            predicate.insert("walwardenAsOf", Value::from(as_of));
        }
        let of = |bytes: &[u8]| Value::Object(Object::from([("digest", digest(Sha256::of(bytes)))]));
        let brought = [
            ("walwardenWitnessPolicy", &trust.witness_policy),
            ("walwardenKeptCheckpoint", &trust.kept_checkpoint),
        ];
        for (name, bytes) in brought {
            if let Some(bytes) = bytes {
                predicate.insert(name, of(bytes));
            }
        }
        if !trust.witnesses.is_empty() {
            let witnesses = trust.witnesses.iter().map(|vkey| Value::from(vkey.as_str()));
            predicate.insert("walwardenWitnesses", Value::Array(witnesses.collect()));
        }
        if !trust.authorities.is_empty() {
            let authorities = trust.authorities.iter().map(|pem| of(pem.as_bytes()));
            predicate.insert("walwardenAuthorities", Value::Array(authorities.collect()));
        }
        let format = || Value::Object(Object::from([("uri", "https://walwarden.dev/evidence-bundle/v1")]));
        predicate.insert("policy", trust.policy.as_deref().map_or_else(format, of));
        let subject =
            Value::Object(Object::from([("name", Value::from(bundle_name)), ("digest", digest(bundle))]));
        VerificationSummary {
            payload: canonical::to_vec(&Value::Object(Object::from([
                ("_type", Value::from("https://in-toto.io/Statement/v1")),
                ("subject", Value::Array(vec![subject])),
                ("predicateType", "https://slsa.dev/verification_summary/v1".into()),
                ("predicate", predicate.into()),
            ]))),
        }
    }

    /// Every key that was given, and those that the witness policy has for this chain.
    fn pinned_keys(&self, trust: &Trust) -> Vec<String> {
        let given =
            trust.public_keys.iter().filter_map(|pem| PublicKey::several_from_pem(pem).ok()).flatten();
        let given = given.map(|key| key.key_id().to_string());
        let mut pinned: Vec<String> = given.chain(trust.fingerprints.iter().cloned()).collect();
        let policy = trust.witness_policy.as_deref().and_then(|bytes| WitnessPolicy::parse(bytes).ok());
        if let (Some(policy), Some(org_id), Some(chain_id)) = (policy, &self.org_id, self.chain_id) {
            let origin = origin(org_id, chain_id);
            let of_this_chain = policy.logs().iter().filter(|log| log.name() == origin);
            for key_id in of_this_chain.map(|log| log.key().key_id().to_string()) {
                if !pinned.contains(&key_id) {
                    pinned.push(key_id);
                }
            }
        }
        pinned
    }
}

impl VerificationSummary {
    /// The bytes to sign: DSSE's pre-authentication encoding.
    pub fn message(&self) -> Vec<u8> {
        pre_authentication_encoding(&self.payload)
    }

    /// The DSSE envelope with a signature over [`message`](Self::message), which is not checked.
    pub fn seal(&self, key_id: KeyId, signature: &Signature) -> Vec<u8> {
        let signature = Value::Object(Object::from([
            ("keyid", key_id.to_string()),
            ("sig", STANDARD.encode(signature.as_bytes())),
        ]));
        canonical::to_vec(&Value::Object(Object::from([
            ("payload", Value::from(STANDARD.encode(&self.payload))),
            ("payloadType", PAYLOAD_TYPE.into()),
            ("signatures", Value::Array(vec![signature])),
        ])))
    }
}
