//! Packages statements for auditors: checkpoints over a chain, and bundles.
//!
//! In: rows, manifests and a signer. Out: a signed note, a bundle file. What always holds: the same input makes the
//! same bytes, and everything in a bundle is listed in its signed index.

mod bundle;

use walwarden_verify::checkpoint::{Checkpoint, origin};
use walwarden_verify::merkle::Tree;
use walwarden_verify::statement::Statement;
use walwarden_verify::{ChainId, OrgId};

use crate::error::Result;
use crate::manifest::ManifestSigner;

pub use bundle::BundleWriter;

/// A signed checkpoint (C2SP tlog-checkpoint) over all rows in `tree`, as the text of its note.
///
/// # Errors
/// The signer's.
pub async fn checkpoint(
    org_id: &OrgId,
    chain_id: ChainId,
    tree: &Tree,
    signer: &dyn ManifestSigner,
) -> Result<String> {
    let checkpoint = Checkpoint { origin: origin(org_id, chain_id), size: tree.size(), root: tree.root() };
    let signature = signer.sign(checkpoint.body().as_bytes()).await?;
    Ok(checkpoint.sign_with(signer.public_key(), |_| signature))
}

/// The signed index of a bundle, `bundle.json`: a DSSE envelope around an in-toto statement.
///
/// # Errors
/// The signer's.
pub async fn index(statement: &Statement, signer: &dyn ManifestSigner) -> Result<Vec<u8>> {
    let signature = signer.sign(&statement.message()).await?;
    Ok(statement.seal(signer.public_key().key_id(), &signature))
}
