use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Sha256;
use crate::form::FormError;

/// What a log sends to a witness, as C2SP tlog-witness has it: a checkpoint, and the proof that it goes on from the
/// one of `old_size` rows.
///
/// ```
/// use walwarden_verify::checkpoint::AddCheckpoint;
///
/// let text = "old 1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\nlog.example/x\n2\n…";
/// let request = AddCheckpoint::parse(text.as_bytes()).unwrap();
/// assert_eq!((request.old_size, request.proof.len()), (1, 1));
/// assert_eq!(request.to_text(), text);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Rows of the checkpoint that the witness saw last; 0 when it saw none.
    pub old_size: u64,
    /// The consistency proof (RFC 6962, section 2.1.2); empty from size 0, and between equal sizes.
    pub proof: Vec<Sha256>,
    /// The signed note, not read yet.
    pub note: String,
}

// A tree of 2^63 leaves needs no more.
const MAX_PROOF_LINES: usize = 63;
const MAX_BYTES: usize = 1 << 20;

impl AddCheckpoint {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// When it does not begin with `old` and a size, lines of proof and a blank line, or is longer than 1 MiB.
    pub fn parse(text: &[u8]) -> Result<Self, FormError> {
        if text.len() > MAX_BYTES {
            return Err(FormError::over_limit("the request is too long"));
        }
        let text = std::str::from_utf8(text).map_err(|_| FormError::new("the request is not UTF-8"))?;
        let (head, note) =
            text.split_once("\n\n").ok_or_else(|| FormError::new("the request has no blank line"))?;
        let mut lines = head.split('\n');
        let size = lines.next().and_then(|line| line.strip_prefix("old "));
        let size = size.ok_or_else(|| FormError::new("the request does not begin with old and a size"))?;
        let old_size: u64 = size.parse().map_err(|_| FormError::new("the old size is not a number"))?;
        if old_size.to_string() != size {
            return Err(FormError::new("the old size is not in its only spelling"));
        }
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MAX_PROOF_LINES {
                return Err(FormError::over_limit("the proof has more than 63 lines"));
            }
            let bytes = STANDARD.decode(line).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            let bytes = bytes.ok_or_else(|| FormError::new("a line of the proof is not a hash"))?;
            proof.push(Sha256::from_bytes(bytes));
        }
        Ok(AddCheckpoint { old_size, proof, note: note.to_owned() })
    }

    /// The request as it is sent.
    pub fn to_text(&self) -> String {
        let lines = self.proof.iter().map(|hash| STANDARD.encode(hash.as_bytes()) + "\n");
        format!("old {}\n{}\n{}", self.old_size, lines.collect::<String>(), self.note)
    }
}
