use std::fmt;

use crate::checkpoint::Vkey;
use crate::key::PublicKey;
use crate::{KeyId, Level, Policy, Verifier, WitnessPolicy};

/// Whom an auditor trusts and what he demands, as the texts that he has at hand: what a command line reads from files, a
/// page from its form, and another language from its strings.
///
/// ```
/// use walwarden_verify::{Trust, Verifier};
///
/// let pem = "-----BEGIN PUBLIC KEY-----\n\
///            MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
///            -----END PUBLIC KEY-----\n";
/// let trust = Trust { public_keys: vec![pem.to_owned()], level: Some(1), ..Trust::default() };
/// let verifier = Verifier::try_from(&trust)?;
///
/// let mistyped = Trust { level: Some(7), ..Trust::default() };
/// assert_eq!(Verifier::try_from(&mistyped).unwrap_err().to_string(), "level: there are the levels 0 to 4");
/// # Ok::<_, walwarden_verify::TrustError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Keys of the chain, SPKI PEM; each text may hold several.
    pub public_keys: Vec<String>,
    /// Ids of keys (`sha256:…`) whose bytes are taken from the bundle.
    pub fingerprints: Vec<String>,
    /// Witnesses as C2SP vkeys; one of them is enough. Not together with a witness policy.
    pub witnesses: Vec<String>,
    /// Logs, witnesses and their quorum: a C2SP tlog-policy.
    pub witness_policy: Option<Vec<u8>>,
    /// What is demanded beyond the format: JSON of type `walwarden.audit-policy`.
    pub policy: Option<Vec<u8>>,
    /// The time of which the ages are taken that the policy limits (`2026-11-21T02:06:29.123Z`), in the place of the present. Only
    /// together with a policy; the report says so.
    pub as_of: Option<String>,
    /// A checkpoint of this chain that was kept earlier, the bytes of its note.
    pub kept_checkpoint: Option<Vec<u8>>,
    /// Certificates of time stamping authorities, PEM; each text may hold several. Refused where the feature `timestamps`
    /// was left out.
    pub authorities: Vec<String>,
    /// The level to reach, 0 to 4; 2 unless given.
    pub level: Option<u8>,
}

/// A text that is not what it was given as.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustError {
    /// What it was given as, e.g. `public key`.
    pub what: &'static str,
    /// Which of several, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub cause: String,
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            0 => write!(f, "{}: {}", self.what, self.cause),
            index => write!(f, "{} {}: {}", self.what, index + 1, self.cause),
        }
    }
}

impl std::error::Error for TrustError {}

impl TryFrom<&Trust> for Verifier {
    type Error = TrustError;

    /// # Errors
    ///
    /// For the first text that is not what it was given as.
    fn try_from(trust: &Trust) -> Result<Self, TrustError> {
        let mut verifier = Verifier::new();
        for keys in each("public key", &trust.public_keys, |text| PublicKey::several_from_pem(text)) {
            verifier = keys?.into_iter().fold(verifier, Verifier::with_key);
        }
        for key_id in each("fingerprint", &trust.fingerprints, |text| text.parse::<KeyId>()) {
            verifier = verifier.with_fingerprint(key_id?);
        }
        if trust.witness_policy.is_some() && !trust.witnesses.is_empty() {
            return Err(error("witness", 0, "give witnesses or a witness policy, not both"));
        }
        for witness in each("witness", &trust.witnesses, |text| text.parse::<Vkey>()) {
            verifier = verifier.with_witness(witness?);
        }
        for policy in each("witness policy", &trust.witness_policy, |bytes| WitnessPolicy::parse(bytes)) {
            verifier = verifier.with_witness_policy(policy?);
        }
        for policy in each("policy", &trust.policy, |bytes| Policy::parse(bytes)) {
            verifier = verifier.with_policy(policy?);
        }
        for as_of in each("as of", &trust.as_of, |text| text.parse()) {
            let policy = trust.policy.as_ref();
            policy.ok_or_else(|| error("as of", 0, "there is no policy whose ages it is for"))?;
            verifier = verifier.with_as_of(as_of?);
        }
        for authorities in each("authority", &trust.authorities, |text| authorities(text)) {
            verifier = with_authorities(verifier, authorities?);
        }
        if let Some(note) = &trust.kept_checkpoint {
            verifier = verifier.with_kept_checkpoint(note.as_slice());
        }
        if let Some(number) = trust.level {
            let level = Level::from_number(number);
            verifier = verifier.with_level(level.ok_or(error("level", 0, "there are the levels 0 to 4"))?);
        }
        Ok(verifier)
    }
}

fn each<'a, T: 'a, V, E: fmt::Display>(
    what: &'static str,
    texts: impl IntoIterator<Item = &'a T>,
    read: impl Fn(&T) -> Result<V, E>,
) -> impl Iterator<Item = Result<V, TrustError>> {
    let read = move |(index, text)| read(text).map_err(|cause| error(what, index, cause));
    texts.into_iter().enumerate().map(read)
}

fn error(what: &'static str, index: usize, cause: impl fmt::Display) -> TrustError {
    TrustError { what, index, cause: cause.to_string() }
}

#[cfg(feature = "timestamps")]
use crate::timestamp::Authorities;

#[cfg(feature = "timestamps")]
fn authorities(text: &str) -> Result<Authorities, crate::timestamp::TimestampError> {
    Authorities::from_pem(text)
}

#[cfg(feature = "timestamps")]
fn with_authorities(verifier: Verifier, authorities: Authorities) -> Verifier {
    verifier.with_authorities(authorities)
}

#[cfg(not(feature = "timestamps"))]
fn authorities(_text: &str) -> Result<std::convert::Infallible, &'static str> {
    Err("this verifier was built without timestamps")
}

#[cfg(not(feature = "timestamps"))]
fn with_authorities(_verifier: Verifier, authorities: std::convert::Infallible) -> Verifier {
    match authorities {}
}

#[cfg(test)]
mod tests;
