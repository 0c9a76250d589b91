//! Offline verification of Walwarden backup evidence.

mod budget;
mod bundle;
pub mod canonical;
pub mod chain;
pub mod checkpoint;
pub mod event;
mod form;
mod hash;
mod id;
pub mod index;
pub mod json;
pub mod key;
pub mod layout;
pub mod manifest;
pub mod merkle;
mod policy;
mod reason;
pub mod receipt;
mod report;
pub mod statement;
mod time;
mod verifier;

pub use budget::Budget;
pub use event::{EventKind, Head, Row};
pub use form::FormError;
pub use hash::{HashTextError, Sha256};
pub use id::{ChainId, DatabaseId, DestinationId, IdError, JobId, OrgId, TokenId};
pub use key::KeyId;
pub use manifest::{Manifest, VerifiedManifest};
pub use policy::Policy;
pub use reason::{Exit, Reason};
pub use report::{Finding, Level, Report, Status};
pub use time::{TimeTextError, Timestamp};
pub use verifier::Verifier;
