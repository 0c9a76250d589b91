use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SignedNote;
use super::note::key_hash;
use crate::Timestamp;
use crate::key::{PublicKey, Signature, SignatureError};

/// A witness's key as C2SP writes it: `<name>+<8 hex digits>+<base64 of kind and key>`, of kind 4 (cosignature/v1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vkey {
    name: String,
    key: PublicKey,
}

/// A witness saw a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cosignature {
    /// Who.
    pub name: String,
    /// When, by the witness's clock.
    pub at: Timestamp,
}

// Kind of key: cosignature/v1, Ed25519 over the note and a time.
const COSIGNATURE: u8 = 4;

impl Vkey {
    /// Names a witness's key.
    pub fn new(name: impl Into<String>, key: PublicKey) -> Self {
        Vkey { name: name.into(), key }
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its key.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The text a cosignature of `body` at `unix_seconds` signs.
    pub fn message(unix_seconds: u64, body: &str) -> String {
        format!("cosignature/v1\ntime {unix_seconds}\n{body}")
    }

    /// The latest cosignature of the note by this witness, if there is one.
    ///
    /// # Errors
    ///
    /// When a line by this key carries a signature that fails.
    pub fn cosignature(&self, note: &SignedNote) -> Result<Option<Cosignature>, SignatureError> {
        let mut latest: Option<Timestamp> = None;
        for line in note.lines_by(&self.name, key_hash(&self.name, COSIGNATURE, &self.key)) {
            let (seconds, bytes) = line.bytes.split_first_chunk::<8>().ok_or(SignatureError)?;
            let bytes = <[u8; 64]>::try_from(bytes).map_err(|_| SignatureError)?;
            let seconds = u64::from_be_bytes(*seconds);
            let message = Vkey::message(seconds, note.body());
            self.key.verify(message.as_bytes(), &Signature::from_bytes(bytes))?;
            let millis = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1000));
            let at = millis.and_then(Timestamp::from_unix_millis).ok_or(SignatureError)?;
            latest = latest.max(Some(at));
        }
        Ok(latest.map(|at| Cosignature { name: self.name.clone(), at }))
    }
}

impl FromStr for Vkey {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        // Base64 may hold a plus sign, a name may not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VkeyError("a vkey is written as name, hash and base64 with + between"));
        };
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(VkeyError("the name of the vkey is malformed"));
        }
        let bytes = STANDARD.decode(base64).map_err(|_| VkeyError("the base64 of the vkey is malformed"))?;
        let Some((&COSIGNATURE, key)) = bytes.split_first() else {
            return Err(VkeyError("the vkey is not of kind 4, an Ed25519 cosignature/v1 key"));
        };
        let key = <&[u8; 32]>::try_from(key).map_err(|_| VkeyError("the vkey has not 32 bytes of key"))?;
        let key =
            PublicKey::from_bytes(key).map_err(|_| VkeyError("the key of the vkey is unsound or weak"))?;
        let expected = key_hash(name, COSIGNATURE, &key).map(|byte| format!("{byte:02x}")).concat();
        if hash != expected {
            return Err(VkeyError("the hash of the vkey does not fit its name and key"));
        }
        Ok(Vkey { name: name.to_owned(), key })
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = key_hash(&self.name, COSIGNATURE, &self.key).map(|byte| format!("{byte:02x}")).concat();
        let mut bytes = vec![COSIGNATURE];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{hash}+{}", self.name, STANDARD.encode(bytes))
    }
}

/// The text is not a witness's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VkeyError(&'static str);

impl fmt::Display for VkeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for VkeyError {}
