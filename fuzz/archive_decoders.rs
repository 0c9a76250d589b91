//! One call for each decoder of `walwarden-archive`, with what must hold of everything it takes. The fuzz targets call
//! these with what libFuzzer makes up; `walwarden-archive/tests/fuzz_seeds.rs` calls them with the seeds.
//!
//! Each says whether the bytes were taken, so that a seed that no longer is one is noticed.

use std::io::sink;

use walwarden_archive::codec::{Decoder as StreamDecoder, Encoding, Limits};
use walwarden_archive::{
    BlockReader, Compression, Contents, Error, Event, Exploder, Indexer, Reader, Transcoder, index, read_toc,
    verify,
};

/// Whether the bytes were taken.
pub type Decoder = fn(&[u8]) -> bool;

/// Every decoder by the name of its target and of its folder of seeds.
#[allow(dead_code, reason = "a target uses its own function only")]
pub const ALL: [(&str, Decoder); 4] = [
    ("archive_index", archive_index),
    ("archive_read", archive_read),
    ("archive_stream", archive_stream),
    ("archive_transcode", archive_transcode),
];

/// Header, table of contents and blocks: in whatever pieces, the same; and the head has one spelling only.
pub fn archive_read(data: &[u8]) -> bool {
    let whole = read(data, usize::MAX);
    let pieces = read(data, 3);
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => {
            assert_eq!(whole, pieces);
            true
        }
        (Err(whole), Err(pieces)) => {
            assert_eq!(whole.kind(), pieces.kind());
            assert!(whole.offset().is_some_and(|offset| offset <= data.len() as u64));
            false
        }
        _ => panic!("pieces make a difference"),
    }
}

/// Everything in an archive, decompressed and measured: in whatever pieces, the same, also block by block.
pub fn archive_index(data: &[u8]) -> bool {
    let mut indexer = Indexer::new();
    let pieces = data.chunks(7).try_for_each(|piece| indexer.update(piece)).and_then(|()| indexer.finish());
    let mut exploder = Exploder::new(|_: &str| Ok(sink()));
    let exploded = exploder.update(data).and_then(|()| exploder.finish().map(drop));
    match (index(data), pieces) {
        (Ok(whole), Ok(pieces)) => {
            assert_eq!(whole, pieces);
            assert!(exploded.is_ok(), "what can be read can be exploded");
            read_blocks(data, &whole);
            let index = whole.into_index("0198c5a0-0000-7000-8000-000000000001".parse().expect("an id"));
            let _ = index.content_root();
            let written = walwarden_verify::index::Index::parse(&index.to_canonical());
            assert_eq!(written.as_ref(), Ok(&index));
            assert!(verify(data, &index).expect("memory can be read").is_empty());
            true
        }
        (Err(_), Err(_)) => false,
        _ => panic!("pieces make a difference"),
    }
}

fn read_blocks(archive: &[u8], contents: &Contents) {
    let (header, toc) = read_toc(archive).expect("all of it was read");
    for entry in toc.entries() {
        let Some(block) = contents.block(entry.dump_id) else { continue };
        let range = usize::try_from(block.offset).expect("it fits into memory")..;
        let stored = &archive[range][..usize::try_from(block.length).expect("it fits into memory")];
        let mut reader = BlockReader::new(&header, entry, block).expect("it has a block");
        let read = stored.chunks(11).try_for_each(|piece| reader.update(piece, &mut |_| Ok(())));
        read.and_then(|()| reader.finish()).expect("it was read before");
    }
}

/// A copy holds what the original does.
pub fn archive_transcode(data: &[u8]) -> bool {
    let mut copy = Vec::new();
    let mut transcoder = Transcoder::new(Encoding::new(Compression::Gzip)).expect("gzip is always there");
    let mut out = |bytes: &[u8]| {
        copy.extend_from_slice(bytes);
        Ok(())
    };
    let copied = transcoder.update(data, &mut out);
    let Ok(written) = copied.and_then(|()| transcoder.finish(&mut out)) else { return false };
    let original = index(data).expect("what was copied can be read");
    assert_eq!(index(&copy[..]).expect("a copy can be read"), written);
    assert_eq!(measured(&written), measured(&original));
    true
}

/// One compressed stream; the first byte says which codec.
pub fn archive_stream(data: &[u8]) -> bool {
    let Some((number, stream)) = data.split_first() else { return false };
    let codec = Compression::ALL[usize::from(number % 4)];
    let decode = |size: usize| {
        let mut decoder = StreamDecoder::new(codec, Limits::default())?;
        let mut length = 0;
        for piece in stream.chunks(size) {
            decoder.decode(piece, &mut |raw| {
                length += raw.len() as u64;
                if length > 64 << 20 { Err(std::io::Error::other("enough").into()) } else { Ok(()) }
            })?;
        }
        decoder.finish().map(|()| length)
    };
    match (decode(usize::MAX), decode(5)) {
        (Ok(whole), Ok(pieces)) => {
            assert_eq!(whole, pieces);
            true
        }
        (Err(_), Err(_)) => false,
        _ => panic!("pieces make a difference"),
    }
}

fn read(data: &[u8], size: usize) -> Result<Vec<u8>, Error> {
    let mut reader = Reader::new();
    let mut stored = Vec::new();
    for piece in data.chunks(size) {
        let mut input = piece;
        while let Some(event) = reader.read(&mut input)? {
            match event {
                Event::Toc => {
                    let head = usize::try_from(reader.offset()).expect("it fits into memory");
                    let (header, toc) = (reader.header().expect("passed"), reader.toc().expect("passed"));
                    assert_eq!(toc.to_bytes(header), data[..head]);
                }
                Event::Data(bytes) => stored.extend_from_slice(bytes),
                _ => {}
            }
        }
    }
    reader.finish().map(|()| stored)
}

fn measured(contents: &Contents) -> impl PartialEq + std::fmt::Debug {
    let blocks = contents.entries.iter().map(|entry| entry.data.as_ref());
    blocks.map(|block| block.map(|block| (block.raw_bytes, block.rows))).collect::<Vec<_>>()
}
