use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Hasher;
use crate::form::FormError;
use crate::key::{PublicKey, Signature, SignatureError};

/// A signed note (C2SP signed-note): a text, and who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    body: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// The first four bytes of the key's hash; a hint that keeps keys of one name apart.
    pub key_hash: [u8; 4],
    /// The signature, of a length that depends on its kind.
    pub bytes: Vec<u8>,
}

// Lines of a note, and bytes of it, that are read at most.
const MAX_LINES: usize = 1000;
const MAX_BYTES: usize = 1 << 20;

/// Key id of an Ed25519 key in notes: the first four bytes of `SHA-256(name ‖ 0x0A ‖ kind ‖ 32-byte key)`. The kind
/// is 1 for plain signatures and 4 for cosignatures with a time.
pub fn key_hash(name: &str, kind: u8, key: &PublicKey) -> [u8; 4] {
    let mut hasher = Hasher::new();
    hasher.update(name.as_bytes());
    hasher.update(&[b'\n', kind]);
    hasher.update(key.as_bytes());
    let [first, second, third, fourth, ..] = *hasher.finish().as_bytes();
    [first, second, third, fourth]
}

/// The line that carries a plain signature, with its newline.
pub(super) fn signature_line(name: &str, key: &PublicKey, signature: &Signature) -> String {
    let mut bytes = key_hash(name, PLAIN, key).to_vec();
    bytes.extend_from_slice(signature.as_bytes());
    format!("\u{2014} {name} {}\n", STANDARD.encode(bytes))
}

pub(super) const PLAIN: u8 = 1;

impl SignedNote {
    /// Reads a note. Signatures are not checked.
    ///
    /// # Errors
    ///
    /// When it is not text, blank line and at least one signature line, or is longer than 1,000 lines or 1 MiB.
    pub fn parse(note: &[u8]) -> Result<Self, FormError> {
        if note.len() > MAX_BYTES || note.iter().filter(|byte| **byte == b'\n').count() > MAX_LINES {
            return Err(FormError::over_limit("the note is too long"));
        }
        let note = std::str::from_utf8(note).map_err(|_| FormError::new("the note is not UTF-8"))?;
        if note.chars().any(|character| character.is_control() && character != '\n') {
            return Err(FormError::new("a control character stands in the note"));
        }
        let split = note.rfind("\n\n").ok_or_else(|| FormError::new("the note has no blank line"))?;
        let (body, signatures) = (&note[..=split], &note[split + 2..]);
        let lines = signatures
            .strip_suffix('\n')
            .ok_or_else(|| FormError::new("the note does not end in a newline"))?;
        let signatures = lines.split('\n').map(signature).collect::<Option<_>>();
        let signatures = signatures.ok_or_else(|| FormError::new("a signature line is malformed"))?;
        Ok(SignedNote { body: body.to_owned(), signatures })
    }

    /// The signed text, with its last newline.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Every signature line.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks the plain Ed25519 signatures by a key under a name. Lines by other keys are ignored. Whether there is
    /// one is the answer.
    ///
    /// # Errors
    ///
    /// When a line by this key carries a signature that fails.
    pub fn verify(&self, name: &str, key: &PublicKey) -> Result<bool, SignatureError> {
        let mut found = false;
        for line in self.lines_by(name, key_hash(name, PLAIN, key)) {
            let bytes = <[u8; 64]>::try_from(line.bytes.as_slice()).map_err(|_| SignatureError)?;
            key.verify(self.body.as_bytes(), &Signature::from_bytes(bytes))?;
            found = true;
        }
        Ok(found)
    }

    pub(super) fn lines_by(&self, name: &str, key_hash: [u8; 4]) -> impl Iterator<Item = &NoteSignature> {
        self.signatures.iter().filter(move |line| line.name == name && line.key_hash == key_hash)
    }
}

fn signature(line: &str) -> Option<NoteSignature> {
    let (name, base64) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    if name.is_empty() || name.contains('+') || name.contains(char::is_whitespace) {
        return None;
    }
    let bytes = STANDARD.decode(base64).ok()?;
    let (key_hash, bytes) = bytes.split_first_chunk::<4>()?;
    if bytes.is_empty() {
        return None;
    }
    Some(NoteSignature { name: name.to_owned(), key_hash: *key_hash, bytes: bytes.to_vec() })
}
