//! One connection reading pieces.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_postgres::Client;

use super::plan::{self, PIECE_BYTES, Piece};
use crate::error::{Code, Error, Result};
use crate::source::Dsn;
use crate::source::connect::explain;

/// What a piece consists of. Its end is said, so that a connection that breaks off is never taken for it.
#[derive(Debug)]
pub(super) enum Part {
    Lines(Bytes),
    End,
}

/// A piece to read, and where its parts go.
#[derive(Debug)]
pub(super) struct Task {
    piece: Piece,
    parts: Sender<Result<Part>>,
}

/// A piece that is being read or will be, as its taker sees it.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) table: usize,
    pub(super) ends_table: bool,
    pub(super) parts: Receiver<Result<Part>>,
}

/// Hands the pieces to whichever connection is free, and tells the taker of them in their order. No piece is begun before
/// the taker has room for it.
pub(super) async fn hand_out(pieces: VecDeque<Piece>, tasks: Sender<Task>, announce: Sender<Open>) {
    for piece in pieces {
        let (sender, parts) = mpsc::channel(PARTS_AHEAD);
        let open = Open { table: piece.table, ends_table: piece.ends_table, parts };
        // Whoever listened has gone: the taker was dropped, or every connection has failed and said so.
        if announce.send(open).await.is_err() || tasks.send(Task { piece, parts: sender }).await.is_err() {
            return;
        }
    }
}

/// Reads pieces until there are no more or one fails.
pub(super) async fn work(client: Client, dsn: Dsn, queue: Arc<Mutex<Receiver<Task>>>) {
    loop {
        let task = queue.lock().await.recv().await;
        let Some(Task { piece, parts }) = task else { return };
        let last = match read(&client, &dsn, &piece, &parts).await {
            Ok(()) => Ok(Part::End),
            Err(error) => Err(error),
        };
        let failed = last.is_err();
        if parts.send(last).await.is_err() || failed {
            return;
        }
    }
}

async fn read(client: &Client, dsn: &Dsn, piece: &Piece, parts: &Sender<Result<Part>>) -> Result<()> {
    plan::lock(client, dsn, &piece.name).await?;
    let rows = client.copy_out(&piece.copy).await.map_err(|error| explain(dsn, &error))?;
    futures::pin_mut!(rows);
    let mut lines = BytesMut::with_capacity(PART_BYTES);
    while let Some(row) = rows.next().await {
        lines.extend_from_slice(&row.map_err(|error| explain(dsn, &error))?);
        if lines.len() >= PART_BYTES - PART_BYTES / 8 {
            let part = std::mem::replace(&mut lines, BytesMut::with_capacity(PART_BYTES)).freeze();
            if parts.send(Ok(Part::Lines(part))).await.is_err() {
                return Err(Error::new(Code::Cancelled, "nobody wants the rows any more"));
            }
        }
    }
    if !lines.is_empty() {
        // Fails only when nobody wants the rows any more.
        let _unwanted = parts.send(Ok(Part::Lines(lines.freeze()))).await;
    }
    Ok(())
}

const PART_BYTES: usize = 256 << 10;
const PARTS_AHEAD: usize = PIECE_BYTES as usize / PART_BYTES;
