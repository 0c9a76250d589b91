//! Large objects get their contents.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use tokio_postgres::{Client, Statement};

use super::decoding::{Decoding, Piece};
use super::load::refused;
use crate::error::{Code, Error, Result};
use crate::source::Dsn;

/// Writes the large objects of a block, which exist and are empty. Transactions hold some hundreds of them at most: a server
/// has room for so many locks only.
pub(super) async fn write(client: &Client, database: &Dsn, mut decoding: Decoding<'_>) -> Result<()> {
    let explain = |error: &tokio_postgres::Error| refused(database, &"pg_largeobject", error);
    let put = client.prepare(PUT).await.map_err(|error| explain(&error))?;
    let begin = async || client.batch_execute("BEGIN").await;
    begin().await.map_err(|error| explain(&error))?;
    let (mut open, mut objects) = (None, 0);
    let mut under_way = FuturesOrdered::new();
    while let Some(piece) = decoding.next().await? {
        match piece {
            Piece::LargeObjectStart(oid) => open = Some((oid, 0)),
            Piece::LargeObjectEnd => {
                open = None;
                objects += 1;
            }
            Piece::Data(data) => {
                let Some((oid, offset)) = &mut open else {
                    return Err(Error::new(Code::ArchiveInvalid, "data outside of a large object"));
                };
                let length = data.len() as i64;
                under_way.push_back(write_piece(client, &put, *oid, *offset, data));
                *offset += length;
            }
        }
        let is_full = objects == OBJECTS_IN_TRANSACTION;
        while under_way.len() > if is_full { 0 } else { PIECES_UNDER_WAY } {
            under_way.next().await.transpose().map_err(|error| explain(&error))?;
        }
        if is_full {
            objects = 0;
            client.batch_execute("COMMIT; BEGIN").await.map_err(|error| explain(&error))?;
        }
    }
    while let Some(written) = under_way.next().await {
        written.map_err(|error| explain(&error))?;
    }
    client.batch_execute("COMMIT").await.map_err(|error| explain(&error))
}

async fn write_piece(
    client: &Client,
    put: &Statement,
    oid: u32,
    offset: i64,
    data: Bytes,
) -> std::result::Result<(), tokio_postgres::Error> {
    client.query_one(put, &[&oid, &offset, &data.as_ref()]).await.map(drop)
}

const PUT: &str = "SELECT pg_catalog.lo_put($1, $2, $3)";
const OBJECTS_IN_TRANSACTION: u32 = 500;
/// Sent, and not answered yet: what a distant server's answers take does not add up.
const PIECES_UNDER_WAY: usize = 16;
