use walwarden_verify::index::CHUNK_SIZE_BYTES;
use walwarden_verify::{Hasher, Sha256};

/// Digests of each [`CHUNK_SIZE_BYTES`] of an artifact as stored, made while it passes.
///
/// ```
/// use walwarden_archive::ChunkDigests;
/// use walwarden_verify::Sha256;
///
/// let mut chunks = ChunkDigests::new();
/// chunks.update(b"PGD");
/// chunks.update(b"MP");
/// assert_eq!(chunks.finish(), [Sha256::of(b"PGDMP")]);
/// ```
#[derive(Debug, Default)]
pub struct ChunkDigests {
    done: Vec<Sha256>,
    open: Hasher,
    filled: usize,
}

impl ChunkDigests {
    /// Of nothing so far.
    pub fn new() -> Self {
        ChunkDigests::default()
    }

    /// Takes the next bytes of the artifact.
    pub fn update(&mut self, mut bytes: &[u8]) {
        const SIZE: usize = CHUNK_SIZE_BYTES as usize;
        while !bytes.is_empty() {
            let (taken, rest) = bytes.split_at(bytes.len().min(SIZE - self.filled));
            self.open.update(taken);
            self.filled += taken.len();
            bytes = rest;
            if self.filled == SIZE {
                self.close();
            }
        }
    }

    /// The digests, the last one of what is left over.
    pub fn finish(mut self) -> Vec<Sha256> {
        if self.filled > 0 {
            self.close();
        }
        self.done
    }

    fn close(&mut self) {
        self.done.push(std::mem::take(&mut self.open).finish());
        self.filled = 0;
    }
}
