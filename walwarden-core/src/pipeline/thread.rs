//! Archives on their way through the compressors, which have threads of their own.

use std::io;
use std::num::NonZeroUsize;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use walwarden_archive::codec::{Encoding, Output};
use walwarden_archive::{Assembler, Contents, ErrorKind, Header, Toc, Transcoder};

use crate::error::{Code, Error, Result};
use crate::source::DumpPart;

type Outcome<T> = std::result::Result<T, walwarden_archive::Error>;

/// Where it goes in.
#[derive(Debug)]
pub(crate) struct Feed<T>(Sender<Input<T>>);

/// Where the compressed archive comes out.
#[derive(Debug)]
pub(crate) struct Drain {
    pieces: Receiver<Bytes>,
    outcome: JoinHandle<Outcome<Contents>>,
}

/// The end is said, so that a feed which is dropped is never taken for it.
#[derive(Debug)]
enum Input<T> {
    Next(T),
    End,
}

/// What compresses.
trait Stage: Send + 'static {
    type Input: Send;

    fn take(&mut self, input: Self::Input, output: &mut Output<'_>) -> Outcome<()>;
    fn finish(self, output: &mut Output<'_>) -> Outcome<Contents>;
}

impl Stage for Transcoder {
    type Input = Bytes;

    fn take(&mut self, input: Bytes, output: &mut Output<'_>) -> Outcome<()> {
        self.update(&input, output)
    }

    fn finish(self, output: &mut Output<'_>) -> Outcome<Contents> {
        Transcoder::finish(self, output)
    }
}

impl Stage for Assembler {
    type Input = DumpPart;

    fn take(&mut self, input: DumpPart, output: &mut Output<'_>) -> Outcome<()> {
        match input {
            DumpPart::BlockStart(dump_id) => self.start_block(dump_id, output),
            DumpPart::LargeObjectStart(oid) => self.start_large_object(oid, output),
            DumpPart::Data(data) => self.data(&data, output),
            DumpPart::LargeObjectEnd => self.end_large_object(output),
            DumpPart::BlockEnd => self.end_block(output),
        }
    }

    fn finish(self, output: &mut Output<'_>) -> Outcome<Contents> {
        Assembler::finish(self, output)
    }
}

/// Compresses the data of an archive on so many threads as it passes. Both ends are to be used at the same time; when
/// one is dropped, the threads end.
///
/// # Errors
/// `internal` when there are no threads to be had.
pub(crate) fn transcode(encoding: Encoding, threads: NonZeroUsize) -> Result<(Feed<Bytes>, Drain)> {
    let transcoder = Transcoder::on_threads(encoding, threads).map_err(refused)?;
    Ok(on_thread(transcoder, |_, _| Ok(())))
}

/// Puts an archive together from this header, this table of contents and the parts that come, likewise.
///
/// # Errors
/// `internal` when there are no threads to be had; `dump-failed` when such an archive cannot have the codec.
pub(crate) fn assemble(
    header: Header,
    toc: &Toc,
    encoding: Encoding,
    threads: NonZeroUsize,
) -> Result<(Feed<DumpPart>, Drain)> {
    let assembler = Assembler::on_threads(header, toc, encoding, threads).map_err(refused)?;
    Ok(on_thread(assembler, Assembler::begin))
}

fn on_thread<S: Stage>(
    stage: S,
    begin: impl FnOnce(&mut S, &mut Output<'_>) -> Outcome<()> + Send + 'static,
) -> (Feed<S::Input>, Drain) {
    let (feed, input) = mpsc::channel(PIECES_AHEAD);
    let (output, pieces) = mpsc::channel(PIECES_AHEAD);
    let outcome = tokio::task::spawn_blocking(move || work(stage, begin, input, &output));
    (Feed(feed), Drain { pieces, outcome })
}

impl<T> Feed<T> {
    /// Takes what comes next. Drops it when the other end has failed, which has the reason.
    pub(crate) async fn write(&self, next: T) {
        self.send(Input::Next(next)).await;
    }

    /// There is no more, and what came is whole.
    pub(crate) async fn end(&self) {
        self.send(Input::End).await;
    }

    async fn send(&self, input: Input<T>) {
        let _told_at_the_other_end = self.0.send(input).await;
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

fn work<S: Stage>(
    mut stage: S,
    begin: impl FnOnce(&mut S, &mut Output<'_>) -> Outcome<()>,
    mut input: Receiver<Input<S::Input>>,
    output: &Sender<Bytes>,
) -> Outcome<Contents> {
    let mut gathered = BytesMut::with_capacity(PIECE_BYTES);
    let mut put = |bytes: &[u8]| {
        gathered.extend_from_slice(bytes);
        if gathered.len() < PIECE_BYTES - PIECE_BYTES / 8 {
            return Ok(());
        }
        let piece = std::mem::replace(&mut gathered, BytesMut::with_capacity(PIECE_BYTES)).freeze();
        output.blocking_send(piece).map_err(|_| unwanted())
    };
    begin(&mut stage, &mut put)?;
    loop {
        match input.blocking_recv() {
            Some(Input::Next(next)) => stage.take(next, &mut put)?,
            Some(Input::End) => break,
            None => return Err(unwanted()),
        }
    }
    let contents = stage.finish(&mut put)?;
    if !gathered.is_empty() {
        output.blocking_send(gathered.freeze()).map_err(|_| unwanted())?;
    }
    Ok(contents)
}

/// Nobody is at the other end any more, so nobody hears of it.
fn unwanted() -> walwarden_archive::Error {
    io::Error::from(io::ErrorKind::BrokenPipe).into()
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
