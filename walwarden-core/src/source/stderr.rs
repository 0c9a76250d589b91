//! What a client program said on standard error, kept within bounds and understood.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

use super::Dsn;
use crate::error::Code;

#[cfg(test)]
mod tests;

/// Beginning and end of a program's standard error: the first 16 KiB and the last 48 KiB.
#[derive(Debug, Clone, Default)]
pub(super) struct Stderr(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Stderr {
    /// Reads to the end, so that the program never waits for room in the pipe.
    pub(super) async fn drain(self, mut from: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            self.keep(&buffer[..count]);
        }
    }

    fn keep(&self, bytes: &[u8]) {
        let kept = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, rest) = bytes.split_at(bytes.len().min(HEAD_BYTES - kept.head.len()));
        kept.head.extend_from_slice(first);
        kept.tail.extend(rest);
        let too_many = kept.tail.len().saturating_sub(TAIL_BYTES);
        kept.tail.drain(..too_many);
        kept.left_out += too_many as u64;
    }

    /// What was kept, with the password masked.
    pub(super) fn said(&self, dsn: &Dsn) -> Said {
        let kept = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_whole = kept.left_out == 0;
        let mut text = String::from_utf8_lossy(&kept.head).into_owned();
        if kept.left_out > 0 {
            text.push_str(&format!("\n[{} bytes left out]\n", kept.left_out));
        }
        text.push_str(&String::from_utf8_lossy(kept.tail.make_contiguous()));
        Said { text: dsn.mask(text.trim_end()), is_whole }
    }
}

/// A client program's own words; the cause of errors about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    text: String,
    is_whole: bool,
}

impl Said {
    /// Everything kept, several lines.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether nothing had to be left out.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The line that tells the most: the first error, else the last line.
    pub(crate) fn main_line(&self) -> &str {
        let is_error =
            |line: &&str| line.contains("error:") || line.contains("FATAL:") || line.contains("ERROR:");
        let line = self.text.lines().find(is_error).or(self.text.lines().last()).unwrap_or_default().trim();
        match line.char_indices().nth(MAIN_LINE_CHARS) {
            Some((end, _)) => &line[..end],
            None => line,
        }
    }

    /// The failure class, by the words of the program (`LC_ALL=C`) and of an English server, or else by what the program
    /// asked a server that answers in another language.
    pub(crate) fn code(&self) -> Code {
        let says = |words: &&(&str, Code)| self.text.contains(words.0);
        let told = CODES.iter().find(says).map(|(_, code)| *code);
        told.or_else(|| self.code_of_locking()).unwrap_or(Code::DumpFailed)
    }

    /// Why tables could not be locked: who lacks a right is told on which table, who waited in vain is not.
    fn code_of_locking(&self) -> Option<Code> {
        // Capitalised since 15.
        let tables = self.text.split_once("uery was: LOCK TABLE ")?.1.split_once(" IN ACCESS SHARE MODE")?.0;
        let answer = self.main_line();
        let mut answered = answer.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
        let names: Vec<&str> = tables
            .split(", ")
            .filter_map(|table| table.rsplit('.').next())
            .map(|name| name.trim_matches('"'))
            .collect();
        let names_one = answered.any(|word| names.contains(&word));
        Some(if names_one { Code::SourcePermission } else { Code::SourceLocked })
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Said {}

const HEAD_BYTES: usize = 16 * 1024;
const TAIL_BYTES: usize = 48 * 1024;
const MAIN_LINE_CHARS: usize = 500;

/// The first that is contained decides, so special cases stand before general ones.
const CODES: [(&str, Code); 36] = [
    ("server version mismatch", Code::ClientMissing),
    ("does not support compression", Code::ClientMissing),
    ("out of shared memory", Code::SourceLocksExhausted),
    ("max_locks_per_transaction", Code::SourceLocksExhausted),
    ("canceling statement due to lock timeout", Code::SourceLocked),
    // How --lock-wait-timeout ends; pg_dump turns every other statement timeout off.
    ("canceling statement due to statement timeout", Code::SourceLocked),
    ("could not obtain lock", Code::SourceLocked),
    ("deadlock detected", Code::SourceLocked),
    ("canceling statement due to conflict with recovery", Code::SourceConnectionLost),
    ("password authentication failed", Code::SourceLoginRefused),
    ("no password supplied", Code::SourceLoginRefused),
    ("pg_hba.conf", Code::SourceLoginRefused),
    ("authentication failed", Code::SourceLoginRefused),
    ("is not permitted to log in", Code::SourceLoginRefused),
    ("FATAL:  role \"", Code::SourceLoginRefused),
    ("permission denied for database", Code::SourcePermission),
    ("FATAL:  database \"", Code::SourceDatabaseMissing),
    ("the database system is shutting down", Code::SourceConnectionLost),
    ("the database system is starting up", Code::SourceUnreachable),
    ("sorry, too many clients already", Code::SourceUnreachable),
    ("remaining connection slots are reserved", Code::SourceUnreachable),
    ("server closed the connection unexpectedly", Code::SourceConnectionLost),
    ("terminating connection due to", Code::SourceConnectionLost),
    ("connection has been closed unexpectedly", Code::SourceConnectionLost),
    ("could not receive data from server", Code::SourceConnectionLost),
    ("SSL SYSCALL error", Code::SourceConnectionLost),
    ("no connection to the server", Code::SourceConnectionLost),
    ("connection not open", Code::SourceConnectionLost),
    ("could not connect to database", Code::SourceUnreachable),
    ("could not translate host name", Code::SourceUnreachable),
    ("connection to server", Code::SourceUnreachable),
    ("permission denied", Code::SourcePermission),
    ("must be owner of", Code::SourcePermission),
    ("must be superuser", Code::SourcePermission),
    ("row-level security policy", Code::SourcePermission),
    ("row security policy", Code::SourcePermission),
];
