//! A block of a dump becomes rows and large objects, on a thread of its own.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;
use walwarden_archive::{BlockReader, Content, Entry};
use walwarden_verify::index::Block;

use super::progress::Progress;
use super::stored::{Reading, StoredDump};
use crate::error::{Code, Error, Result};

/// What comes out of a block.
#[derive(Debug)]
pub(super) enum Piece {
    /// The next rows, or the next bytes of a large object. Where pieces end means nothing.
    Data(Bytes),
    /// The large object with this OID begins.
    LargeObjectStart(u32),
    /// It is complete.
    LargeObjectEnd,
}

/// A block that is being read and decoded. Memory: a chunk of the dump that is being decoded, one that waits, one that is being
/// fetched, and 2 MiB of pieces.
#[derive(Debug)]
pub(super) struct Decoding<'a> {
    reading: Reading,
    progress: &'a Progress<'a>,
    stored: Option<Sender<Bytes>>,
    pieces: Receiver<Piece>,
    outcome: Option<oneshot::Receiver<Outcome>>,
}

type Outcome = std::result::Result<(), walwarden_archive::Error>;

impl<'a> Decoding<'a> {
    /// Begins with the block of this entry, which `reading` delivers.
    pub(super) fn begin(
        dump: &StoredDump,
        entry: &Entry,
        block: &Block,
        reading: Reading,
        progress: &'a Progress<'a>,
    ) -> Result<Self> {
        let reader = BlockReader::of_verified_bytes(&dump.head.header, entry, block).map_err(undecodable)?;
        let (stored, input) = mpsc::channel(1);
        let (output, pieces) = mpsc::channel(PIECES_AHEAD);
        let (tell, outcome) = oneshot::channel();
        // Not one of the runtime's: those are counted, and whoever feeds this one needs some.
        let decoder = std::thread::Builder::new().name("walwarden-decode".to_owned());
        let decoder = decoder.spawn(move || {
            // Nobody may want to hear of it any more.
            let _unheard = tell.send(decode(reader, input, &output));
        });
        decoder.map_err(|error| {
            Error::new(Code::Internal, "no thread to decode on can be started").with_source(error)
        })?;
        Ok(Decoding { reading, progress, stored: Some(stored), pieces, outcome: Some(outcome) })
    }

    /// The next piece; none once the block was complete and nothing but what it should be. Nothing is lost when the future
    /// is dropped.
    ///
    /// # Errors
    /// As [`Reading::next`]; `archive-invalid` when the bytes that were stored cannot be decoded.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>> {
        loop {
            tokio::select! {
                biased;
                piece = self.pieces.recv() => match piece {
                    Some(piece) => return Ok(Some(piece)),
                    None => return self.ended().await.map(|()| None),
                },
                fed = feed(&mut self.reading, &self.stored), if self.stored.is_some() => {
                    match fed? {
                        Some(bytes) => self.progress.add(bytes),
                        None => self.stored = None,
                    }
                }
            }
        }
    }

    async fn ended(&mut self) -> Result<()> {
        let Some(outcome) = self.outcome.take() else { return Ok(()) };
        let outcome = outcome.await.map_err(|error| {
            Error::new(Code::Internal, "the thread that decodes the dump broke down").with_source(error)
        })?;
        outcome.map_err(undecodable)
    }
}

/// Gives the decoder what is read next, and says how many bytes that are; none at the end.
async fn feed(reading: &mut Reading, stored: &Option<Sender<Bytes>>) -> Result<Option<usize>> {
    let Some(stored) = stored else { return Ok(None) };
    // A decoder that has failed takes nothing more, and says why in the end.
    let Ok(permit) = stored.reserve().await else { return Ok(None) };
    let Some(bytes) = reading.next().await? else { return Ok(None) };
    let length = bytes.len();
    permit.send(bytes);
    Ok(Some(length))
}

fn decode(mut reader: BlockReader, mut stored: Receiver<Bytes>, pieces: &Sender<Piece>) -> Outcome {
    let send = |piece| pieces.blocking_send(piece).map_err(|_| unwanted());
    let mut gathered = BytesMut::with_capacity(PIECE_BYTES);
    let mut put = |content: Content<'_>| {
        let next = match content {
            Content::Data(data) => {
                gathered.extend_from_slice(data);
                if gathered.len() < PIECE_BYTES - PIECE_BYTES / 8 {
                    return Ok(());
                }
                None
            }
            Content::LargeObjectStart { oid } => Some(Piece::LargeObjectStart(oid)),
            Content::LargeObjectEnd => Some(Piece::LargeObjectEnd),
            _ => None,
        };
        if !gathered.is_empty() {
            let full = std::mem::replace(&mut gathered, BytesMut::with_capacity(PIECE_BYTES));
            send(Piece::Data(full.freeze()))?;
        }
        next.map_or(Ok(()), send)
    };
    while let Some(bytes) = stored.blocking_recv() {
        reader.update(&bytes, &mut put)?;
    }
    // Who stopped sending before the end is found out here.
    reader.finish()?;
    if gathered.is_empty() { Ok(()) } else { send(Piece::Data(gathered.freeze())) }
}

/// Nobody is at the other end any more, so nobody hears of it.
fn unwanted() -> walwarden_archive::Error {
    io::Error::from(io::ErrorKind::BrokenPipe).into()
}

fn undecodable(error: walwarden_archive::Error) -> Error {
    Error::new(Code::ArchiveInvalid, "a block of the dump cannot be decoded").with_source(error)
}

const PIECE_BYTES: usize = 256 << 10;
const PIECES_AHEAD: usize = 8;
