//! The contract of [`Storage`](walwarden_core::storage::Storage) as a suite, servers to run it against, and faults.

mod azurite;
mod faulty;
mod s3;
mod s3_faults;
mod suite;

pub use azurite::Azurite;
pub use faulty::{Call, FaultyStorage, Misbehaviour};
pub use s3::S3Server;
pub use s3_faults::{Fault, Requests, When};
pub use suite::suite;
