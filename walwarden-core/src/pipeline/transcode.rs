//! An archive on its way through the compressors, which have threads of their own.

use std::io;
use std::num::NonZeroUsize;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use walwarden_archive::codec::Encoding;
use walwarden_archive::{Contents, ErrorKind, Transcoder};

use crate::error::{Code, Error, Result};

/// Where the archive goes in.
#[derive(Debug)]
pub(crate) struct Feed(Sender<Piece>);

/// Where it comes out.
#[derive(Debug)]
pub(crate) struct Drain {
    pieces: Receiver<Bytes>,
    outcome: JoinHandle<std::result::Result<Contents, walwarden_archive::Error>>,
}

/// The end is said, so that a feed which is dropped is never taken for it.
#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
}

/// Compresses the data of an archive on so many threads as it passes. Both ends are to be used at the same time; when
/// one is dropped, the threads end.
///
/// # Errors
/// `internal` when there are no threads to be had.
pub(crate) fn transcode(encoding: Encoding, threads: NonZeroUsize) -> Result<(Feed, Drain)> {
    let transcoder = Transcoder::on_threads(encoding, threads).map_err(refused)?;
    let (feed, input) = mpsc::channel(PIECES_AHEAD);
    let (output, pieces) = mpsc::channel(PIECES_AHEAD);
    let outcome = tokio::task::spawn_blocking(move || work(transcoder, input, &output));
    Ok((Feed(feed), Drain { pieces, outcome }))
}

impl Feed {
    /// Takes the next bytes. Waits for ever when the other end has failed, which has the reason.
    pub(crate) async fn write(&self, bytes: Bytes) {
        self.send(Piece::Bytes(bytes)).await;
    }

    /// There are no more bytes, and those that came are whole.
    pub(crate) async fn end(&self) {
        self.send(Piece::End).await;
    }

    async fn send(&self, piece: Piece) {
        if self.0.send(piece).await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drain {
    /// The next bytes of the compressed archive; none after the last.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.pieces.recv().await
    }

    /// What the compressed archive holds, after [`next`](Self::next) has returned none.
    ///
    /// # Errors
    /// `dump-failed` when what went in was no archive, or one that we cannot read.
    pub(crate) async fn contents(self) -> Result<Contents> {
        let outcome = self.outcome.await.map_err(|error| {
            Error::new(Code::Internal, "the thread that compresses broke down").with_source(error)
        })?;
        outcome.map_err(refused)
    }
}

fn work(
    mut transcoder: Transcoder,
    mut input: Receiver<Piece>,
    output: &Sender<Bytes>,
) -> std::result::Result<Contents, walwarden_archive::Error> {
    let mut pending = BytesMut::with_capacity(PIECE_BYTES);
    let mut put = |bytes: &[u8]| {
        pending.extend_from_slice(bytes);
        if pending.len() < PIECE_BYTES - PIECE_BYTES / 8 {
            return Ok(());
        }
        let piece = std::mem::replace(&mut pending, BytesMut::with_capacity(PIECE_BYTES)).freeze();
        output.blocking_send(piece).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe).into())
    };
    loop {
        match input.blocking_recv() {
            Some(Piece::Bytes(bytes)) => transcoder.update(&bytes, &mut put)?,
            Some(Piece::End) => break,
            // Nobody listens any more.
            None => return Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
        }
    }
    let contents = transcoder.finish(&mut put)?;
    if !pending.is_empty() {
        output.blocking_send(pending.freeze()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
    }
    Ok(contents)
}

fn refused(error: walwarden_archive::Error) -> Error {
    match error.kind() {
        ErrorKind::Io => {
            Error::new(Code::Internal, "no threads to compress on can be started").with_source(error)
        }
        _ => Error::new(Code::DumpFailed, "what pg_dump wrote is not an archive that can be read")
            .with_source(error),
    }
}

const PIECE_BYTES: usize = 256 << 10;
const PIECES_AHEAD: usize = 8;
