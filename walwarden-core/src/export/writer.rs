//! Hands a bundle's pieces to a thread of its own, since compressing and writing block.

use std::io::Write;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::{Code, Error, Result};
use crate::evidence::BundleWriter;

enum Piece {
    Begin(String, u64),
    Write(Bytes),
    End,
    Finish,
}

/// A bundle being written elsewhere.
pub(super) struct Writing<W> {
    pieces: mpsc::Sender<Piece>,
    thread: Option<JoinHandle<Result<W>>>,
}

impl<W: Write + Send + 'static> Writing<W> {
    pub(super) fn start(out: W, holds_dumps: bool) -> Self {
        let (pieces, mut inbox) = mpsc::channel(4);
        let thread = tokio::task::spawn_blocking(move || {
            let mut bundle =
                if holds_dumps { BundleWriter::uncompressed(out) } else { BundleWriter::new(out) };
            while let Some(piece) = inbox.blocking_recv() {
                match piece {
                    Piece::Begin(path, size_bytes) => bundle.begin(&path, size_bytes)?,
                    Piece::Write(chunk) => bundle.write(&chunk)?,
                    Piece::End => bundle.end()?,
                    Piece::Finish => return bundle.finish(),
                }
            }
            Err(Error::new(Code::Cancelled, "the bundle was given up before it was complete"))
        });
        Writing { pieces, thread: Some(thread) }
    }

    pub(super) async fn add(&mut self, path: &str, content: Bytes) -> Result<()> {
        self.begin(path, content.len() as u64).await?;
        self.write(content).await?;
        self.end().await
    }

    pub(super) async fn begin(&mut self, path: &str, size_bytes: u64) -> Result<()> {
        self.send(Piece::Begin(path.to_owned(), size_bytes)).await
    }

    pub(super) async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.send(Piece::Write(chunk)).await
    }

    pub(super) async fn end(&mut self) -> Result<()> {
        self.send(Piece::End).await
    }

    /// Waits until everything is written.
    pub(super) async fn finish(mut self) -> Result<W> {
        self.send(Piece::Finish).await?;
        self.outcome().await
    }

    /// A closed inbox means that the thread met an error: that is the one to tell.
    async fn send(&mut self, piece: Piece) -> Result<()> {
        match self.pieces.send(piece).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.outcome().await.err().unwrap_or_else(ended)),
        }
    }

    async fn outcome(&mut self) -> Result<W> {
        let thread = self.thread.take().ok_or_else(ended)?;
        thread
            .await
            .map_err(|error| Error::new(Code::Internal, "the bundle's writer panicked").with_source(error))?
    }
}

fn ended() -> Error {
    Error::new(Code::Internal, "the bundle was written to after its end")
}
