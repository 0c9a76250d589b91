//! SHA-256 of many short messages at once.

pub use walwarden_verify::lanes::LaneHasher;
