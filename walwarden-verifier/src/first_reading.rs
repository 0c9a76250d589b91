use std::io::{self, Read, Seek, SeekFrom};

use walwarden_verify::{Hasher, Sha256};

/// Hashes a file as it is read for the first time, so that the digest is of the bytes that were judged, whatever becomes of the
/// file meanwhile. What is read again is compared by the verifier with what it read first.
pub(super) struct FirstReading<R> {
    inner: R,
    at: u64,
    hasher: Hasher,
    hashed: u64,
}

impl<R: Read + Seek> FirstReading<R> {
    pub(super) fn new(inner: R) -> Self {
        FirstReading { inner, at: 0, hasher: Hasher::new(), hashed: 0 }
    }

    /// The digest of the whole, of which a bundle that was refused early leaves a rest unread.
    pub(super) fn finish(mut self) -> io::Result<Sha256> {
        self.seek(SeekFrom::Start(self.hashed))?;
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.hasher.finish())
    }
}

impl<R: Read> Read for FirstReading<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        // Bytes from `hashed` on are new; a gap before them is left to `finish`.
        let known = self.hashed.checked_sub(self.at).and_then(|known| usize::try_from(known).ok());
        if let Some(new) = known.and_then(|known| buffer[..count].get(known..)) {
            self.hasher.update(new);
            self.hashed += new.len() as u64;
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl<R: Seek> Seek for FirstReading<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.inner.seek(to)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const TEXT: &[u8] = b"what was judged, and nothing else";

    #[test]
    fn each_byte_is_hashed_once_in_whatever_order_it_is_read() {
        let mut reading = FirstReading::new(Cursor::new(TEXT));
        let mut piece = [0; 7];
        for to in [0, 3, 20, 1, 10, 14] {
            reading.seek(SeekFrom::Start(to)).unwrap();
            reading.read_exact(&mut piece).unwrap();
        }
        reading.seek(SeekFrom::End(0)).unwrap();
        assert_eq!(reading.finish().unwrap(), Sha256::of(TEXT));
        assert_eq!(FirstReading::new(Cursor::new(TEXT)).finish().unwrap(), Sha256::of(TEXT));
    }

    #[test]
    fn what_the_file_becomes_after_it_was_read_is_not_hashed() {
        let mut reading = FirstReading::new(Cursor::new(TEXT.to_vec()));
        io::copy(&mut reading, &mut io::sink()).unwrap();
        reading.inner.get_mut()[0] = b'W';
        assert_eq!(reading.finish().unwrap(), Sha256::of(TEXT));
    }
}
