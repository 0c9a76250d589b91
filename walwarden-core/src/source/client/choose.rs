//! Which client for which server and archive.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::{Client, ClientSet, Codec};
use crate::error::{Code, Error, Result};

/// The `pg_restore` to use, and what to expect of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreChoice<'a> {
    /// The client programs.
    pub client: &'a Client,
    /// Clients from 17 on set `transaction_timeout`, which older servers do not know: one error is reported, everything
    /// is restored, and the exit status is 1 nevertheless.
    pub expects_transaction_timeout_error: bool,
}

impl ClientSet {
    /// The lowest major that is not older than the server and can read `codec`, or any if there is none to be read.
    ///
    /// `pg_dump` refuses a newer server. Among those that fit, the nearest one writes the archive that most versions
    /// of `pg_restore` can read.
    ///
    /// # Errors
    /// `client-missing`, naming what is needed and what was found.
    pub fn choose_for_dump(&self, server_major: u32, codec: impl Into<Option<Codec>>) -> Result<&Client> {
        let mut fitting = self.iter().filter(|client| client.major() >= server_major);
        let codec = codec.into().unwrap_or(Codec::None);
        fitting.clone().find(|client| client.supports(codec)).ok_or_else(|| match fitting.next() {
            None => self.missing(format!("no pg_dump for a server of major {server_major}: {server_major} or later is needed")),
            Some(_) => self.missing(format!(
                "no client of major {server_major} or later can read archives compressed with {codec}: use another \
                 compression, or install a client of major 16 or later that is built with it"
            )),
        })
    }

    /// The `pg_restore` for an archive written by `pg_dump` of `dump_major` and compressed with `codec`, into a server of
    /// `target_major`: the target's own major if it can read the archive, else the nearest that can, above all one without
    /// the `transaction_timeout` error.
    ///
    /// # Errors
    /// `client-missing`, naming what is needed and what was found.
    pub fn choose_for_restore(
        &self,
        dump_major: u32,
        target_major: u32,
        codec: Codec,
    ) -> Result<RestoreChoice<'_>> {
        let choice = |client| RestoreChoice {
            client,
            expects_transaction_timeout_error: client.major() >= 17 && target_major < 17,
        };
        let readers = self.iter().filter(|client| archive_minor(client.major()) >= archive_minor(dump_major));
        // A client is built with a compression's library or without, for reading as for writing.
        let unpackers = readers.clone().filter(|client| client.supports(codec));
        let nearest = unpackers.map(choice).min_by_key(|choice| {
            let major = choice.client.major();
            (choice.expects_transaction_timeout_error, major.abs_diff(target_major), Reverse(major))
        });
        nearest.ok_or_else(|| {
            if readers.count() > 0 {
                return self.missing(format!(
                    "no pg_restore that can read an archive written by pg_dump {dump_major} can read {codec}: install a \
                     client that is built with it"
                ));
            }
            let lowest = (12..=dump_major).find(|major| archive_minor(*major) >= archive_minor(dump_major));
            self.missing(format!(
                "no pg_restore can read an archive written by pg_dump {dump_major}: {} or later is needed",
                lowest.unwrap_or(dump_major)
            ))
        })
    }

    fn missing(&self, need: String) -> Error {
        let mut message = need;
        message.push_str("; found: ");
        if self.iter().next().is_none() {
            message.push_str("none");
        }
        for (at, client) in self.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            let _infallible = write!(message, "{comma}{} in {}", client.version(), client.dir().display());
        }
        Error::new(Code::ClientMissing, message)
    }
}

/// Minor number of the archive version 1.x that a major writes and at most reads. Majors to come are taken to write a
/// version of their own.
const fn archive_minor(major: u32) -> u32 {
    match major {
        0..=10 => 12,
        11 => 13,
        12..=15 => 14,
        16 => 15,
        17 | 18 => 16,
        later => later - 2,
    }
}
