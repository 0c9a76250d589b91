//! What a local folder adds to the contract: folders, permissions, staged files, damage.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap as tests do

use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt;
use walwarden_core::Code;
use walwarden_core::clock::SystemRandom;
use walwarden_core::storage::{
    LocalStorage, Location, ObjectName, Options, Storage, StorageExt, UploadId, open,
};
use walwarden_testkit::skip::beyond_our_rights;

async fn local(root: &Path) -> LocalStorage {
    LocalStorage::open(root, Arc::new(SystemRandom)).await.unwrap()
}

fn name(text: &str) -> ObjectName {
    ObjectName::new(text).unwrap()
}

fn staged(root: &Path) -> usize {
    fs::read_dir(root.join(".walwarden/staging")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn only_the_last_folder_is_made_and_only_on_request() {
    let root = tempfile::tempdir().unwrap();
    let new = root.path().join("new");
    let location = Location::parse(&format!("file://{}", new.display())).unwrap();
    for error in [
        LocalStorage::open(&new, Arc::new(SystemRandom)).await.unwrap_err(),
        open(&location, &Options::default(), Arc::new(SystemRandom)).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::StorageMissing, "its disk may not be mounted");
    }
    assert!(!new.exists());
    open(&location, &Options::default().with_new_folder(), Arc::new(SystemRandom)).await.unwrap();
    assert!(new.is_dir());

    for (path, code) in [
        (root.path().join("absent/new"), Code::StorageMissing),
        (std::path::PathBuf::from("relative"), Code::DestinationInvalid),
    ] {
        let error = LocalStorage::create(path, Arc::new(SystemRandom)).await.unwrap_err();
        assert_eq!(error.code(), code);
    }
    fs::write(root.path().join("file"), "").unwrap();
    let error = LocalStorage::open(root.path().join("file"), Arc::new(SystemRandom)).await.unwrap_err();
    assert_eq!(error.code(), Code::DestinationInvalid);
}

#[tokio::test]
async fn objects_are_plain_files_under_their_names() {
    let root = tempfile::tempdir().unwrap();
    let location = Location::parse(&format!("file://{}", root.path().display())).unwrap();
    let storage = open(&location, &Options::default(), Arc::new(SystemRandom)).await.unwrap();
    storage.put(&name("org/local/x.dump"), "PGDMP".into()).await.unwrap();
    assert_eq!(fs::read_to_string(root.path().join("org/local/x.dump")).unwrap(), "PGDMP");
    assert_eq!(staged(root.path()), 0);
}

#[tokio::test]
async fn a_vanished_destination_is_never_a_missing_object() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("destination");
    let storage = LocalStorage::create(&folder, Arc::new(SystemRandom)).await.unwrap();
    storage.put(&name("object"), "x".into()).await.unwrap();
    fs::rename(&folder, root.path().join("unmounted")).unwrap();

    assert_eq!(storage.get(&name("object"), None).await.unwrap_err().code(), Code::StorageMissing);
    assert_eq!(storage.list("").await.unwrap_err().code(), Code::StorageMissing);
    assert_eq!(storage.put(&name("other"), "x".into()).await.unwrap_err().code(), Code::StorageMissing);
    assert!(!folder.exists(), "a vanished destination is not made anew behind the owner's back");
}

#[tokio::test]
async fn staged_files_of_a_killed_process_are_removed_by_abandon_and_nothing_else_is() {
    let root = tempfile::tempdir().unwrap();
    let storage = local(root.path()).await;
    let mut upload = storage.upload(&name("dump")).await.unwrap();
    upload.write("half".into()).await.unwrap();
    let id = upload.id().unwrap();
    upload.abort().await.unwrap();
    fs::write(root.path().join(".walwarden/staging").join(&id.0), "half").unwrap(); // what a kill leaves behind

    local(root.path()).await.abandon(&name("dump"), &id).await.unwrap();
    assert_eq!(staged(root.path()), 0);

    fs::write(root.path().join("precious"), "x").unwrap();
    for foreign in ["../../precious", "", "..", "/etc/passwd", "00000000000000000000000000000000/../x"] {
        let error = storage.abandon(&name("dump"), &UploadId(foreign.into())).await.unwrap_err();
        assert_eq!(error.code(), Code::ArgumentInvalid, "{foreign}");
    }
    assert!(root.path().join("precious").exists());
}

#[tokio::test]
async fn dropped_uploads_remove_their_staged_files() {
    let root = tempfile::tempdir().unwrap();
    let storage = local(root.path()).await;
    let mut upload = storage.upload(&name("dump")).await.unwrap();
    upload.write("half".into()).await.unwrap();
    drop(upload);
    for _ in 0..500 {
        if staged(root.path()) == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the staged file is still there");
}

#[tokio::test]
async fn a_file_cut_while_it_is_read_is_an_error_and_no_short_success() {
    let root = tempfile::tempdir().unwrap();
    let storage = local(root.path()).await;
    storage.put(&name("dump"), vec![7; 16 << 20].into()).await.unwrap();
    let fetched = storage.get(&name("dump"), None).await.unwrap();
    fs::File::options().write(true).open(root.path().join("dump")).unwrap().set_len(1 << 20).unwrap();
    let read = fetched.body.try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len()) }).await;
    assert_eq!(read.unwrap_err().code(), Code::ReadBackMismatch);
}

#[tokio::test]
async fn foreign_files_are_not_listed() {
    let root = tempfile::tempdir().unwrap();
    let storage = local(root.path()).await;
    storage.put(&name("a/b"), "x".into()).await.unwrap();
    fs::write(root.path().join("with space"), "").unwrap();
    fs::create_dir(root.path().join("empty")).unwrap();
    let names: Vec<_> = storage.list("").await.unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, [name("a/b")]);
}

#[tokio::test]
async fn this_file_system_puts_once_by_itself() {
    let root = tempfile::tempdir().unwrap();
    let storage = local(root.path()).await;
    let abilities = storage.abilities().await.unwrap();
    assert!(abilities.put_if_absent, "{abilities:?}");
    assert_eq!(staged(root.path()), 0);
}

/// A device that is always full needs no set-up: an object cannot be staged on one, but a limit on file size can be
/// had only with unsafe code, so the mapping is shown on a real full file system when the machine can mount one.
#[tokio::test]
async fn a_full_disk_is_storage_full_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "walwarden-test"])
        .arg(root.path())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        beyond_our_rights("a full disk: this user cannot mount a small tmpfs");
        return;
    }
    let storage = local(root.path()).await;
    let outcome = storage.put(&name("dump"), vec![7; 4 << 20].into()).await;
    let left = (staged(root.path()), root.path().join("dump").exists());
    // Empty files fit, which is why the probe stores some bytes and reads them back.
    let _full = fs::write(root.path().join("filler"), vec![7; 4 << 20]);
    let probed = storage.abilities().await;
    let unmounted = std::process::Command::new("umount").arg(root.path()).status();
    assert_eq!(outcome.unwrap_err().code(), Code::StorageFull);
    assert_eq!(left, (0, false));
    assert_eq!(probed.unwrap_err().code(), Code::StorageFull);
    assert!(unmounted.unwrap().success());
}

/// Root may write everywhere, so for root this runs once more in a process that has given that right up.
#[cfg(unix)]
#[tokio::test]
async fn a_folder_without_write_permission_is_storage_denied() {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    let root = tempfile::tempdir().unwrap();
    let storage = local(root.path()).await;
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(root.path().join("try"), "").is_ok() {
        #[allow(clippy::disallowed_methods)] // only this test sets it
        let is_second = std::env::var_os("WALWARDEN_TEST_SECOND").is_some();
        assert!(!is_second, "the right to write everywhere could not be given up");
        let second = Command::new("setpriv")
            .arg("--bounding-set=-dac_override,-dac_read_search")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "a_folder_without_write_permission_is_storage_denied"])
            .env("WALWARDEN_TEST_SECOND", "1")
            .output();
        let Ok(output) = second else {
            return beyond_our_rights(
                "missing write permission: this user may write everywhere, and there is no setpriv",
            );
        };
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    let outcome = storage.put(&name("dump"), "x".into()).await;
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(outcome.unwrap_err().code(), Code::StorageDenied);
}
