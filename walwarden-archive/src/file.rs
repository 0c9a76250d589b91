//! Whole archives in files, or whatever else can be read, written and sought.

use std::io::{Read, Seek, SeekFrom, Write};

use walwarden_verify::index::Index;

use crate::{
    Contents, Difference, Error, Event, Exploder, Folder, Header, Indexer, Reader, Toc, Transcoder,
    Verification,
};

const PIECE_BYTES: usize = 256 << 10;

/// Reads header and table of contents, and no more than a piece beyond them.
///
/// ```
/// let archive = include_bytes!("../tests/data/pipe-18.dump");
/// let (header, toc) = walwarden_archive::read_toc(&archive[..])?;
/// assert_eq!(header.database().expect("it has a name"), &"shop");
/// assert!(toc.entries().iter().any(|entry| entry.has_copy_lines()));
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
///
/// # Errors
///
/// As [`Reader::read`], and when reading fails.
pub fn read_toc(archive: impl Read) -> Result<(Header, Toc), Error> {
    let mut reader = Reader::new();
    let mut found = None;
    for_each_piece(archive, |mut piece| {
        while let Some(event) = reader.read(&mut piece)? {
            if event == Event::Toc {
                found = reader.header().cloned().zip(reader.toc().cloned());
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    match found {
        Some(found) => Ok(found),
        None => Err(reader.finish().err().unwrap_or_else(|| Error::invalid("no table of contents"))),
    }
}

/// Reads and checks a whole archive: an [`Indexer`] over a reader.
///
/// ```
/// let contents = walwarden_archive::index(&include_bytes!("../tests/data/pipe-18.dump")[..])?;
/// assert_eq!(contents.archive_version, "1.16");
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
///
/// # Errors
///
/// As [`Indexer::update`] and [`Indexer::finish`], and when reading fails.
pub fn index(archive: impl Read) -> Result<Contents, Error> {
    let mut indexer = Indexer::new();
    for_each_piece(archive, |piece| indexer.update(piece).map(|()| true))?;
    indexer.finish()
}

/// Reads a whole archive and tells in what it differs from its index: a [`Verification`] over a reader. Damage is no
/// error; for the plaintext of an encrypted artifact see [`Verification::of_plaintext`].
///
/// # Errors
///
/// When reading fails.
pub fn verify(archive: impl Read, index: &Index) -> Result<Vec<Difference>, Error> {
    let mut verification = Verification::new(index);
    for_each_piece(archive, |piece| {
        verification.update(piece);
        Ok(true)
    })?;
    Ok(verification.finish())
}

/// Reads a whole archive and writes its copy: a [`Transcoder`] between a reader and a writer. Says what the copy holds.
///
/// ```
/// use walwarden_archive::codec::Encoding;
/// use walwarden_archive::{Compression, Transcoder, index, transcode};
///
/// let archive = &include_bytes!("../tests/data/pipe-18.dump")[..];
/// let mut copy = Vec::new();
/// let contents = transcode(archive, &mut copy, Transcoder::new(Encoding::new(Compression::Lz4))?)?;
/// assert_eq!(index(&copy[..])?, contents);
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
///
/// # Errors
///
/// As [`Transcoder::update`] and [`Transcoder::finish`], and when reading or writing fails: what was written is then no
/// archive.
pub fn transcode(
    archive: impl Read,
    mut copy: impl Write,
    mut transcoder: Transcoder,
) -> Result<Contents, Error> {
    let mut out = |bytes: &[u8]| Ok(copy.write_all(bytes)?);
    for_each_piece(archive, |piece| transcoder.update(piece, &mut out).map(|()| true))?;
    let contents = transcoder.finish(&mut out)?;
    copy.flush()?;
    Ok(contents)
}

/// Reads a whole archive and takes it apart into a folder: an [`Exploder`] behind a reader.
///
/// ```
/// let archive = &include_bytes!("../tests/data/pipe-18.dump")[..];
/// let folder = tempfile::tempdir()?;
/// walwarden_archive::explode(archive, |name: &str| std::fs::File::create_new(folder.path().join(name)))?;
/// assert!(folder.path().join("toc.dat").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`Exploder::update`] and [`Exploder::finish`], and when reading fails: what was written is then no dump.
pub fn explode<F: Folder>(archive: impl Read, folder: F) -> Result<F, Error> {
    let mut exploder = Exploder::new(folder);
    for_each_piece(archive, |piece| exploder.update(piece).map(|()| true))?;
    exploder.finish()
}

/// Writes the offsets of all blocks into the table of contents of an archive, so that `pg_restore --jobs` and
/// `--table` can seek. Nothing else changes, nor does the size.
///
/// An archive that already has them is left alone; for another all of it is read and checked first. Who already knows the
/// [`Contents`] patches with [`Toc::with_offsets`] and [`Toc::to_bytes`], without reading the archive.
///
/// ```
/// use std::io::Cursor;
///
/// let mut archive = Cursor::new(include_bytes!("../tests/data/pipe-18.dump").to_vec());
/// walwarden_archive::patch_offsets(&mut archive)?;
/// archive.set_position(0);
/// let (_, toc) = walwarden_archive::read_toc(&mut archive)?;
/// assert_ne!(toc.without_offsets(), toc);
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
///
/// # Errors
///
/// As [`index`], and when writing fails: the archive is then damaged.
pub fn patch_offsets(archive: &mut (impl Read + Write + Seek)) -> Result<(), Error> {
    archive.seek(SeekFrom::Start(0))?;
    let (header, toc) = read_toc(&mut *archive)?;
    if toc.has_offsets() {
        return Ok(());
    }
    archive.seek(SeekFrom::Start(0))?;
    let offsets = index(&mut *archive)?.offsets();
    let patched = toc.with_offsets(|entry| offsets.get(&entry.dump_id).copied())?;
    archive.seek(SeekFrom::Start(0))?;
    archive.write_all(&patched.to_bytes(&header))?;
    Ok(archive.flush()?)
}

/// Calls `take` with the bytes as they are read, until they or its wish for more end.
pub(crate) fn for_each_piece(
    mut from: impl Read,
    mut take: impl FnMut(&[u8]) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) if take(&piece[..length])? => {}
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
