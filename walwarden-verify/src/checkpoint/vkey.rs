use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SignedNote;
use super::note::{PLAIN, key_hash};
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
    /// When, by the witness's clock; where it signed several times, the last of them.
    pub at: Timestamp,
    /// The first of them.
    pub first_at: Timestamp,
}

/// A log's key as C2SP writes it: as a witness's, of kind 1 (plain Ed25519). The name is the log's origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    name: String,
    key: PublicKey,
}

impl LogKey {
    /// Names a log's key.
    pub fn new(origin: impl Into<String>, key: PublicKey) -> Self {
        LogKey { name: origin.into(), key }
    }

    /// The origin of the log's checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its key.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

// Kind of key: cosignature/v1, Ed25519 over the note and a time.
const COSIGNATURE: u8 = 4;

impl Vkey {
    /// Names a witness's key. Other tools take no name with white space or a plus sign: see [`is_name`](Self::is_name).
    pub fn new(name: impl Into<String>, key: PublicKey) -> Self {
        Vkey { name: name.into(), key }
    }

    /// Whether a witness may have this name: not empty, without white space, control characters and plus signs.
    pub fn is_name(name: &str) -> bool {
        !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
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

    /// The line of a note that carries a cosignature made at `unix_seconds`, with its newline. The signature, over
    /// [`message`](Self::message), is not checked.
    pub fn line(&self, unix_seconds: u64, signature: &Signature) -> String {
        let mut bytes = key_hash(&self.name, COSIGNATURE, &self.key).to_vec();
        bytes.extend_from_slice(&unix_seconds.to_be_bytes());
        bytes.extend_from_slice(signature.as_bytes());
        format!("\u{2014} {} {}\n", self.name, STANDARD.encode(bytes))
    }

    /// The cosignature of the note by this witness, if there is one; it may have signed several times.
    ///
    /// # Errors
    ///
    /// When a line by this key carries a signature that fails.
    pub fn cosignature(&self, note: &SignedNote) -> Result<Option<Cosignature>, SignatureError> {
        let mut times: Vec<Timestamp> = Vec::new();
        for line in note.lines_by(&self.name, key_hash(&self.name, COSIGNATURE, &self.key)) {
            let (seconds, bytes) = line.bytes.split_first_chunk::<8>().ok_or(SignatureError)?;
            let bytes = <[u8; 64]>::try_from(bytes).map_err(|_| SignatureError)?;
            let seconds = u64::from_be_bytes(*seconds);
            let message = Vkey::message(seconds, note.body());
            self.key.verify(message.as_bytes(), &Signature::from_bytes(bytes))?;
            let millis = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1000));
            let at = millis.and_then(Timestamp::from_unix_millis).ok_or(SignatureError)?;
            times.push(at);
        }
        let span = times.iter().min().zip(times.iter().max());
        Ok(span.map(|(first_at, at)| Cosignature { name: self.name.clone(), at: *at, first_at: *first_at }))
    }
}

impl FromStr for Vkey {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        let other = VkeyError("the vkey is not of kind 4, an Ed25519 cosignature/v1 key");
        parse(text, COSIGNATURE, other).map(|(name, key)| Vkey { name, key })
    }
}

impl FromStr for LogKey {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        let other = VkeyError("the vkey is not of kind 1, an Ed25519 key");
        parse(text, PLAIN, other).map(|(name, key)| LogKey { name, key })
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.name, COSIGNATURE, &self.key)
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.name, PLAIN, &self.key)
    }
}

fn parse(text: &str, kind: u8, other_kind: VkeyError) -> Result<(String, PublicKey), VkeyError> {
    // Base64 may hold a plus sign, a name may not.
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(hash), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(VkeyError("a vkey is written as name, hash and base64 with + between"));
    };
    if !Vkey::is_name(name) {
        return Err(VkeyError("the name of the vkey is malformed"));
    }
    let bytes = STANDARD.decode(base64).map_err(|_| VkeyError("the base64 of the vkey is malformed"))?;
    let key = match bytes.split_first() {
        Some((found, key)) if *found == kind => key,
        _ => return Err(other_kind),
    };
    let key = <&[u8; 32]>::try_from(key).map_err(|_| VkeyError("the vkey has not 32 bytes of key"))?;
    let key = PublicKey::from_bytes(key).map_err(|_| VkeyError("the key of the vkey is unsound or weak"))?;
    if hash != hex(key_hash(name, kind, &key)) {
        return Err(VkeyError("the hash of the vkey does not fit its name and key"));
    }
    Ok((name.to_owned(), key))
}

fn write(f: &mut fmt::Formatter<'_>, name: &str, kind: u8, key: &PublicKey) -> fmt::Result {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(key.as_bytes());
    write!(f, "{name}+{}+{}", hex(key_hash(name, kind, key)), STANDARD.encode(bytes))
}

fn hex(hash: [u8; 4]) -> String {
    hash.map(|byte| format!("{byte:02x}")).concat()
}

/// The text is not a witness's or log's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VkeyError(&'static str);

impl fmt::Display for VkeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for VkeyError {}
