//! Archives of every `pg_dump` that `scripts/install-postgres` installs, judged by every `pg_restore`.
#![allow(clippy::unwrap_used)] // helpers of tests

mod blocks;
mod cutting;
mod exploding;
mod offsets;
mod reading;
mod restored;
mod rows;
mod samples;
mod selecting;
mod source;
mod threads;
mod transcoding;
