//! Local files that tell whether their writer is still there: it holds a lock that ends with it, however it ends.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

/// A new file that only this user can read, under its lock. None if somebody took it for a dead writer's, and away, before
/// the lock was there.
pub(crate) fn create(path: &Path) -> io::Result<Option<File>> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    match file.lock() {
        Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error),
        _ => {}
    }
    // Who swept it away held the lock until it was gone.
    Ok(fs::exists(path)?.then_some(file))
}

/// The file under the lock of its writer, if that is gone; then what belongs to it may be removed before the value is
/// dropped. Never waits, and opens nothing but a regular file.
pub(crate) fn abandoned(path: &Path) -> Option<File> {
    let mut options = File::options();
    options.read(true);
    let file = without_waiting(&mut options).open(path).ok()?;
    let is_regular = file.metadata().is_ok_and(|found| found.is_file());
    (is_regular && file.try_lock().is_ok()).then_some(file)
}

/// A pipe would wait for its other end, and a link may lead anywhere.
#[cfg(unix)]
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    use rustix::fs::OFlags;
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits().cast_signed())
}

#[cfg(not(unix))]
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}
