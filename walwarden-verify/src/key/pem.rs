use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::KeyError;

/// The contents of each `PUBLIC KEY` block, in order.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = Result<Vec<u8>, KeyError>> {
    blocks_of(text, "PUBLIC KEY")
}

/// The contents of each block with this label, in order. What stands between blocks is explanatory text (RFC 7468,
/// section 2), and white space within a block is ignored (lax).
pub(crate) fn blocks_of<'a>(
    text: &'a str,
    label: &str,
) -> impl Iterator<Item = Result<Vec<u8>, KeyError>> + use<'a> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let (_, after) = rest?.split_once(&begin)?;
        let Some((body, after)) = after.split_once(&end) else {
            rest = None;
            return Some(Err(KeyError::NotAKey));
        };
        rest = Some(after);
        let base64: String = body.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        Some(STANDARD.decode(base64).map_err(|_| KeyError::NotAKey))
    })
}
