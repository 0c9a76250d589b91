//! Makes a copy of a destination and flips one byte of the dump in it.

use std::fs;
use std::io;
use std::path::Path;

/// Where a byte was changed, and how.
#[derive(Debug)]
pub(super) struct Flip {
    pub(super) offset: usize,
    pub(super) before: u8,
    pub(super) after: u8,
}

/// Copies a folder with all that is in it.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Flips the lowest bit of the byte in the middle of a file.
pub(super) fn flip_one_bit(path: &Path) -> io::Result<Flip> {
    let mut bytes = fs::read(path)?;
    let offset = bytes.len() / 2;
    let before = bytes[offset];
    let after = before ^ 1;
    bytes[offset] = after;
    let mut permissions = fs::metadata(path)?.permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    fs::set_permissions(path, permissions)?;
    fs::write(path, bytes)?;
    Ok(Flip { offset, before, after })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_bit_of_the_copy_differs() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        fs::create_dir_all(from.join("deep/er")).unwrap();
        fs::write(from.join("deep/er/dump"), b"abcde").unwrap();
        copy(&from, &to).unwrap();
        let flip = flip_one_bit(&to.join("deep/er/dump")).unwrap();
        assert_eq!((flip.offset, flip.before, flip.after), (2, b'c', b'b'));
        assert_eq!(fs::read(from.join("deep/er/dump")).unwrap(), b"abcde");
        assert_eq!(fs::read(to.join("deep/er/dump")).unwrap(), b"abbde");
    }
}
