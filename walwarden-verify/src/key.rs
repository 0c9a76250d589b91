//! Ed25519 keys and signatures, checked strictly.
//!
//! A weak (low-order) or oddly encoded key is refused when it is read; a signature needs canonical S and R of large
//! order (RFC 8032, as `verify_strict` of `ed25519-dalek` has it).

pub(crate) mod pem;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;

use crate::Sha256;

/// Names a public key: SHA-256 of its SPKI DER, written `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Sha256);

impl KeyId {
    /// The digest.
    pub const fn digest(&self) -> &Sha256 {
        &self.0
    }

    /// Takes a digest of SPKI DER.
    pub const fn from_digest(digest: Sha256) -> Self {
        KeyId(digest)
    }
}

impl FromStr for KeyId {
    type Err = KeyIdTextError;

    fn from_str(text: &str) -> Result<Self, KeyIdTextError> {
        let digest = text.strip_prefix("sha256:").and_then(|digest| digest.parse().ok());
        digest.map(KeyId).ok_or(KeyIdTextError)
    }
}

/// The text is not a key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyIdTextError;

impl fmt::Display for KeyIdTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a key id is written as `sha256:` and 64 lower-case hex digits, without colons between them",
        )
    }
}

impl std::error::Error for KeyIdTextError {}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An Ed25519 public key that is fit to be trusted: on the curve, canonically encoded and not of low order.
///
/// ```
/// use walwarden_verify::key::PublicKey;
///
/// let pem = "-----BEGIN PUBLIC KEY-----\n\
///            MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
///            -----END PUBLIC KEY-----\n";
/// let key = PublicKey::from_pem(pem).unwrap();
/// assert_eq!(key.to_pem(), pem);
/// assert!(key.key_id().to_string().starts_with("sha256:"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(VerifyingKey);

// SubjectPublicKeyInfo of id-Ed25519 without parameters (RFC 8410), before the 32 bytes of the key.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl PublicKey {
    /// Takes the 32 bytes of RFC 8032.
    ///
    /// # Errors
    ///
    /// When they are not a point of the curve in its only encoding, or one of low order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAKey)?;
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(KeyError::NotAKey);
        }
        if key.is_weak() { Err(KeyError::Weak) } else { Ok(PublicKey(key)) }
    }

    /// Reads SubjectPublicKeyInfo DER (RFC 8410).
    ///
    /// # Errors
    ///
    /// When it is anything but one sound Ed25519 key.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let bytes = der.strip_prefix(&SPKI_PREFIX).ok_or(KeyError::NotAKey)?;
        PublicKey::from_bytes(bytes.try_into().map_err(|_| KeyError::NotAKey)?)
    }

    /// Reads the only `PUBLIC KEY` block of a text (RFC 7468, lax: text around it is ignored).
    ///
    /// # Errors
    ///
    /// When there is no such block or more than one, or it holds no sound Ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let mut blocks = pem::blocks(text);
        match (blocks.next(), blocks.next()) {
            (Some(der), None) => PublicKey::from_spki_der(&der?),
            _ => Err(KeyError::Count),
        }
    }

    /// Reads every `PUBLIC KEY` block of a text, at least one.
    ///
    /// # Errors
    ///
    /// When there is no such block, or one that holds no sound Ed25519 key.
    pub fn several_from_pem(text: &str) -> Result<Vec<Self>, KeyError> {
        let keys = pem::blocks(text)
            .map(|der| PublicKey::from_spki_der(&der?))
            .collect::<Result<Vec<_>, KeyError>>()?;
        if keys.is_empty() { Err(KeyError::Count) } else { Ok(keys) }
    }

    /// The 32 bytes of RFC 8032.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// SubjectPublicKeyInfo DER.
    pub fn to_spki_der(&self) -> [u8; 44] {
        let mut der = [0; 44];
        der[..12].copy_from_slice(&SPKI_PREFIX);
        der[12..].copy_from_slice(self.as_bytes());
        der
    }

    /// SPKI PEM, ending in a newline.
    pub fn to_pem(&self) -> String {
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(self.to_spki_der())
        )
    }

    /// Its name.
    pub fn key_id(&self) -> KeyId {
        KeyId(Sha256::of(&self.to_spki_der()))
    }

    /// Checks a signature over exactly these bytes.
    ///
    /// # Errors
    ///
    /// When this key did not make it, or it is not in its only strict form.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(message, &signature).map_err(|_| SignatureError)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.key_id())
    }
}

/// An Ed25519 signature, written `ed25519:` and padded standard base64.
///
/// ```
/// use walwarden_verify::key::Signature;
///
/// let text = format!("ed25519:{}==", "A".repeat(86));
/// assert_eq!(text.parse::<Signature>().unwrap().to_string(), text);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the 64 bytes of RFC 8032.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Signature(bytes)
    }

    /// The 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl FromStr for Signature {
    type Err = SignatureTextError;

    fn from_str(text: &str) -> Result<Self, SignatureTextError> {
        let text = text.strip_prefix("ed25519:").ok_or(SignatureTextError)?;
        let bytes = STANDARD.decode(text).map_err(|_| SignatureTextError)?;
        bytes.try_into().map(Signature).map_err(|_| SignatureTextError)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A public key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// No key, or more than the one asked for.
    Count,
    /// Not an Ed25519 public key in its only encoding.
    NotAKey,
    /// Of low order: one signature would fit nearly every message.
    Weak,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyError::Count => "expected one PEM block PUBLIC KEY",
            KeyError::NotAKey => "not an Ed25519 public key (SPKI, RFC 8410)",
            KeyError::Weak => "a weak Ed25519 public key, of low order",
        })
    }
}

impl std::error::Error for KeyError {}

/// The signature is not by this key over these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureError;

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature is not by this key over these bytes")
    }
}

impl std::error::Error for SignatureError {}

/// The text is not a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureTextError;

impl fmt::Display for SignatureTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a signature is written as ed25519: and 64 bytes of padded base64")
    }
}

impl std::error::Error for SignatureTextError {}

#[cfg(test)]
mod tests;
