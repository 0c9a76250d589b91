//! Signed checkpoints: how long a chain is and the root over its rows, as C2SP tlog-checkpoint has it.

mod note;
mod request;
mod vkey;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::form::FormError;
use crate::json::MAX_SAFE_INTEGER;
use crate::key::{PublicKey, Signature};
use crate::{ChainId, OrgId, Sha256};

pub use note::{NoteSignature, SignedNote, key_hash};
pub use request::AddCheckpoint;
pub use vkey::{Cosignature, LogKey, Vkey, VkeyError};

/// What a checkpoint says.
///
/// ```
/// use walwarden_verify::Sha256;
/// use walwarden_verify::checkpoint::Checkpoint;
///
/// let checkpoint = Checkpoint { origin: "walwarden/acme/x".to_owned(), size: 3, root: Sha256::of(b"") };
/// let body = checkpoint.body();
/// assert_eq!(body, "walwarden/acme/x\n3\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
/// assert_eq!(Checkpoint::parse_body(&body), Ok(checkpoint));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which chain: `walwarden/<orgId>/<chainId>`. It is the signer's key name too.
    pub origin: String,
    /// How many rows.
    pub size: u64,
    /// RFC 6962 root over the canonical JSON of the rows.
    pub root: Sha256,
}

/// The origin of a chain's checkpoints.
pub fn origin(org_id: &OrgId, chain_id: ChainId) -> String {
    format!("walwarden/{org_id}/{chain_id}")
}

impl Checkpoint {
    /// The text that is signed: three lines.
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    /// Joins the body and a signature of it by the chain's key into a signed note. The signature is not checked.
    pub fn sign_with(&self, key: &PublicKey, sign: impl FnOnce(&[u8]) -> Signature) -> String {
        let body = self.body();
        let signature = sign(body.as_bytes());
        format!("{body}\n{}", note::signature_line(&self.origin, key, &signature))
    }

    /// Reads the body of a note.
    ///
    /// # Errors
    ///
    /// When it is not exactly three lines of their form; extension lines are refused in version 1.
    pub fn parse_body(body: &str) -> Result<Self, FormError> {
        let lines: Vec<&str> = body.split('\n').collect();
        let [origin, size, root, ""] = lines.as_slice() else {
            return Err(FormError::new("a checkpoint has exactly three lines"));
        };
        if origin.is_empty() {
            return Err(FormError::new("the origin is empty"));
        }
        let number: u64 = size.parse().map_err(|_| FormError::new("the size is not a number"))?;
        if number.to_string() != *size || number > MAX_SAFE_INTEGER {
            return Err(FormError::new("the size is not in its only spelling, or above 2^53-1"));
        }
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .ok_or_else(|| FormError::new("the root is not the base64 of 32 bytes"))?;
        Ok(Checkpoint { origin: (*origin).to_owned(), size: number, root: Sha256::from_bytes(root) })
    }
}

#[cfg(test)]
mod tests;
