//! Offline verification of Walwarden backup evidence.

pub mod canonical;
pub mod chain;
pub mod checkpoint;
pub mod event;
mod form;
mod hash;
mod id;
pub mod json;
pub mod key;
pub mod layout;
pub mod manifest;
pub mod merkle;
mod reason;
mod time;

pub use event::{EventKind, Head, Row};
pub use form::FormError;
pub use hash::{HashTextError, Sha256};
pub use id::{ChainId, DatabaseId, DestinationId, IdError, JobId, OrgId, TokenId};
pub use key::KeyId;
pub use manifest::{Manifest, VerifiedManifest};
pub use reason::{Exit, Reason};
pub use time::{TimeTextError, Timestamp};
