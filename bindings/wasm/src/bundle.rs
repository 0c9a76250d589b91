use std::io::{self, BufReader, Read, Seek, SeekFrom};

use walwarden_verify::{Hasher, Sha256};
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// A bundle that is read in pieces, so that it may be larger than memory: any JavaScript object with these two.
    #[derive(Debug)]
    pub type Bundle;

    /// `size`: its bytes.
    #[wasm_bindgen(method, getter)]
    fn size(this: &Bundle) -> f64;

    /// `read(at, into)`: fills the array with the bytes from there on, all of which the bundle has. Returns nothing, or
    /// why it cannot be read.
    #[wasm_bindgen(method)]
    fn read(this: &Bundle, at: f64, into: &mut [u8]) -> Option<String>;
}

impl Bundle {
    pub(crate) fn reader(&self) -> BufReader<Pieces<'_>> {
        BufReader::with_capacity(PIECE_BYTES, Pieces { bundle: self, at: 0, size: self.size() as u64 })
    }

    pub(crate) fn digest(&self) -> io::Result<Sha256> {
        let (mut pieces, mut piece) = (self.reader().into_inner(), vec![0; PIECE_BYTES]);
        let mut hasher = Hasher::new();
        loop {
            match pieces.read(&mut piece)? {
                0 => return Ok(hasher.finish()),
                count => hasher.update(&piece[..count]),
            }
        }
    }
}

/// A bundle, and the place from which the next piece is read.
#[derive(Debug)]
pub(crate) struct Pieces<'a> {
    bundle: &'a Bundle,
    at: u64,
    size: u64,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let count = into.len().min(left);
        if count == 0 {
            return Ok(0);
        }
        match self.bundle.read(self.at as f64, &mut into[..count]) {
            Some(cause) => Err(io::Error::other(cause)),
            None => {
                self.at += count as u64;
                Ok(count)
            }
        }
    }
}

impl Seek for Pieces<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(distance) => self.size.checked_add_signed(distance),
            SeekFrom::Current(distance) => self.at.checked_add_signed(distance),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// With 1 MiB a browser reads at little more than half the speed.
const PIECE_BYTES: usize = 4 << 20;
