//! Offline verification of Walwarden backup evidence.
//!
//! [`Verifier`] takes an evidence bundle and the keys an auditor trusts, and returns a [`Report`] of every check: what
//! holds, what fails, and what could not be checked. It reads the bundle as a stream, extracts nothing, and asks no
//! network, clock, environment or service.
//!
//! ```
//! use std::io::Cursor;
//! use walwarden_verify::key::PublicKey;
//! use walwarden_verify::{Exit, Verifier};
//!
//! let pem = "-----BEGIN PUBLIC KEY-----\n\
//!            MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
//!            -----END PUBLIC KEY-----\n";
//! let bundle = Cursor::new(b"the bytes of a bundle, or an opened file");
//!
//! let report = Verifier::new().with_key(PublicKey::from_pem(pem)?).verify(bundle)?;
//! for finding in &report.findings {
//!     println!("{finding}"); // OK: …, FAIL: … or SKIP: …
//! }
//! assert_eq!(report.exit(), Exit::Malformed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The bundle may be written by the person under audit: every limit is a [`Budget`], every failure has a stable
//! [`Reason`], and nothing that was not checked counts as good.
//!
//! The values the verifier judges are here too, so that those who write evidence share every rule with those who read
//! it: [`Row`]s of an audit [`chain`], signed [`Manifest`]s and drill [`receipt`]s, archive [`index`]es, signed
//! [`checkpoint`]s over [`merkle`] trees, the [`statement`] that lists a bundle's files, and the [`canonical`] JSON all
//! of them are written in.

mod budget;
mod bundle;
pub mod canonical;
pub mod chain;
pub mod checkpoint;
pub mod disclosure;
pub mod event;
mod form;
mod hash;
mod id;
pub mod index;
pub mod json;
pub mod key;
#[cfg(feature = "lanes")]
pub mod lanes;
pub mod layout;
pub mod manifest;
pub mod merkle;
mod policy;
mod reason;
pub mod receipt;
mod report;
pub mod statement;
mod time;
#[cfg(feature = "timestamps")]
pub mod timestamp;
mod trust;
mod verifier;
mod witness_policy;

pub use budget::Budget;
pub use event::{EventKind, Head, Row};
pub use form::FormError;
pub(crate) use hash::ManyHasher;
pub use hash::{HashTextError, Hasher, Sha256};
pub use id::{ChainId, DatabaseId, DestinationId, IdError, JobId, OrgId, TokenId};
pub use key::KeyId;
pub use manifest::{Manifest, VerifiedManifest};
pub use policy::Policy;
pub use reason::{Exit, Reason};
pub use report::{ChainKey, Finding, Level, NotProven, Report, Status, VerificationSummary, printable};
pub use time::{TimeTextError, Timestamp};
pub use trust::{Trust, TrustError};
pub use verifier::Verifier;
pub use witness_policy::{WitnessPolicy, WitnessPolicyError};
