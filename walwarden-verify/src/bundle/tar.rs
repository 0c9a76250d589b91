use super::Fault;
use crate::reason::Reason;

const BLOCK: usize = 512;

/// Where the bytes of the tar come from.
pub(super) trait Source {
    /// As `std::io::Read::read`.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault>;
}

/// A regular file in the tar.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its name, as text of printable ASCII.
    pub(crate) path: String,
    /// Its size in bytes.
    pub(crate) size: u64,
}

/// Reads plain ustar (POSIX.1-1988) and refuses every extension of it: long names, PAX records, links, sparse files.
pub(super) struct TarReader<S> {
    source: S,
    // Bytes of the current file that were not read yet, and zeros after them to the end of a block.
    data_left: u64,
    padding: usize,
}

impl<S: Source> TarReader<S> {
    pub(super) fn new(source: S) -> Self {
        TarReader { source, data_left: 0, padding: 0 }
    }

    pub(super) fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// The next file, once the rest of the current one was passed over; none after the end blocks.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, Fault> {
        let mut rest = [0; 16 << 10];
        while self.read(&mut rest)? > 0 {}
        let mut header = [0; BLOCK];
        if !self.block(&mut header)? {
            return Err(damaged("the end blocks are missing"));
        }
        if header == [0; BLOCK] {
            self.end_blocks()?;
            return Ok(None);
        }
        let entry = read_header(&header)?;
        self.data_left = entry.size;
        self.padding = (BLOCK - (entry.size % BLOCK as u64) as usize) % BLOCK;
        Ok(Some(entry))
    }

    /// The next bytes of the current file; 0 at its end, once its padding was checked.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        if self.data_left == 0 {
            let mut padding = [0; BLOCK];
            let padding = &mut padding[..std::mem::take(&mut self.padding)];
            self.exactly(padding)?;
            return if padding.iter().all(|byte| *byte == 0) {
                Ok(0)
            } else {
                Err(damaged("the padding of a file is not zero"))
            };
        }
        let wanted = buffer.len().min(usize::try_from(self.data_left).unwrap_or(usize::MAX));
        let count = self.source.read(&mut buffer[..wanted])?;
        if count == 0 && wanted > 0 {
            return Err(damaged("a file is cut short"));
        }
        self.data_left -= count as u64;
        Ok(count)
    }

    // After the first block of zeros: at least one more, and nothing but such to the end.
    fn end_blocks(&mut self) -> Result<(), Fault> {
        let mut block = [0; BLOCK];
        let mut count = 1;
        while self.block(&mut block)? {
            if block != [0; BLOCK] {
                return Err(damaged("something follows the end blocks"));
            }
            count += 1;
        }
        if count >= 2 { Ok(()) } else { Err(damaged("the second end block is missing")) }
    }

    // False at the end of the source.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, Fault> {
        let first = self.source.read(block)?;
        if first == 0 {
            return Ok(false);
        }
        self.exactly(&mut block[first..])?;
        Ok(true)
    }

    fn exactly(&mut self, mut buffer: &mut [u8]) -> Result<(), Fault> {
        while !buffer.is_empty() {
            let count = self.source.read(buffer)?;
            if count == 0 {
                return Err(damaged("the tar is cut short"));
            }
            buffer = &mut buffer[count..];
        }
        Ok(())
    }
}

fn read_header(header: &[u8; BLOCK]) -> Result<Entry, Fault> {
    let (name, kind, link) = (&header[..100], header[156], &header[157..257]);
    let (magic, prefix, padding) = (&header[257..265], &header[345..500], &header[500..]);
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    let blank: u64 = header[148..156].iter().map(|byte| u64::from(*byte)).sum();
    if octal(&header[148..156]) != Some(sum - blank + 8 * u64::from(b' ')) {
        return Err(damaged("the checksum of a header is wrong"));
    }
    if magic != b"ustar\x0000" {
        return Err(damaged("a header is not plain ustar"));
    }
    if kind != b'0' {
        let kind = char::from(kind).escape_default();
        return Err(Fault::malformed(
            Reason::BundleEntryType,
            format!("an entry is not a regular file: type {kind}"),
        ));
    }
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    if !is_zero(prefix) || !is_zero(link) || !is_zero(padding) {
        let detail = "an entry uses the prefix, link name or reserved bytes of its header";
        return Err(Fault::malformed(Reason::BundleEntryType, detail));
    }
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    let (name, rest) = name.split_at(length);
    if !is_zero(rest) || name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return Err(Fault::malformed(Reason::BundlePath, "a name is empty or not of printable ASCII"));
    }
    let path = String::from_utf8(name.to_vec()).expect("printable ASCII is UTF-8");
    let size = octal(&header[124..136]).ok_or_else(|| damaged("the size of a file is not octal"))?;
    Ok(Entry { path, size })
}

// Octal digits, ended by NUL or space.
fn octal(field: &[u8]) -> Option<u64> {
    let end = field.iter().position(|byte| matches!(byte, 0 | b' '))?;
    if end == 0 || !field[end..].iter().all(|byte| matches!(byte, 0 | b' ')) {
        return None;
    }
    field[..end].iter().try_fold(0, |value: u64, digit| match digit {
        b'0'..=b'7' => Some(value * 8 + u64::from(digit - b'0')),
        _ => None,
    })
}

fn damaged(detail: &str) -> Fault {
    Fault::malformed(Reason::BundleTar, detail)
}
