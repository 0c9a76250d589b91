//! Offline verification of Walwarden backup evidence.

mod hash;
mod id;
mod time;

pub use hash::{HashTextError, Sha256};
pub use id::{ChainId, DatabaseId, DestinationId, IdError, JobId, OrgId, TokenId};
pub use time::{TimeTextError, Timestamp};
