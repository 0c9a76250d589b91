//! Key files: ours are read by OpenSSL and OpenSSL's by us, and what is unfit to sign is refused by name.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use walwarden_core::Code;
use walwarden_core::clock::SystemRandom;
use walwarden_core::manifest::{FileKey, ManifestSigner, MemoryKey, seal};
use walwarden_core::verify::Sha256;
use walwarden_testkit::chain::assert_code;
use walwarden_testkit::clock::SeededRandom;
use walwarden_testkit::manifest;

#[tokio::test]
async fn signers_keep_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    manifest::suite(&FileKey::generate(&path, &SystemRandom).unwrap()).await;
    manifest::suite(&FileKey::load(&path).unwrap()).await;
    manifest::suite(&MemoryKey::from_seed(&std::array::from_fn(|at| at as u8)).unwrap()).await;
}

#[tokio::test]
async fn a_generated_key_is_private_and_read_by_openssl() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let key = FileKey::generate(&path, &SystemRandom).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no draft is left behind");

    let public = openssl(&["pkey", "-pubout", "-in", text(&path)]);
    assert_eq!(String::from_utf8(public.stdout).unwrap(), key.public_key().to_pem());

    let statement = folder.path().join("statement");
    fs::write(&statement, "statement").unwrap();
    let signed = openssl(&["pkeyutl", "-sign", "-rawin", "-inkey", text(&path), "-in", text(&statement)]);
    assert_eq!(signed.stdout, key.sign(b"statement").await.unwrap().as_bytes());
}

#[test]
fn a_key_of_openssl_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", text(&path)]);
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    let public = openssl(&["pkey", "-pubout", "-in", text(&path)]);
    let key = FileKey::load(&path).unwrap();
    assert_eq!(String::from_utf8(public.stdout).unwrap(), key.public_key().to_pem());
}

#[test]
fn a_key_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    FileKey::generate(&path, &SystemRandom).unwrap();
    let before = fs::read(&path).unwrap();
    assert_code(FileKey::generate(&path, &SystemRandom), Code::KeyExists, "a key is there");
    assert_eq!(fs::read(&path).unwrap(), before);

    let dangling = folder.path().join("link.pem");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &dangling).unwrap();
    assert_code(FileKey::generate(&dangling, &SystemRandom), Code::KeyExists, "a link is there");
    let nowhere = folder.path().join("no/such/folder/key.pem");
    assert_code(FileKey::generate(&nowhere, &SystemRandom), Code::FileFailed, "the folder is missing");
    assert_code(FileKey::load(&nowhere), Code::KeyMissing, "there is no key");
}

#[test]
fn a_key_others_can_use_is_refused_with_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    FileKey::generate(&path, &SystemRandom).unwrap();
    for mode in [0o644, 0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = FileKey::load(&path).unwrap_err();
        assert_eq!(error.code(), Code::KeyExposed, "{mode:o}");
        assert!(error.message().contains(&format!("mode={mode:04o}")), "{error}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    FileKey::load(&path).unwrap();
}

#[test]
fn an_unfit_key_is_refused_without_showing_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    FileKey::generate(&path, &SeededRandom::new(1)).unwrap();
    let sound = fs::read_to_string(&path).unwrap();
    let secret = sound.lines().nth(1).unwrap();
    let zeros = "MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (flaw, contents) in [
        ("empty", String::new()),
        ("text", "no key at all\n".to_owned()),
        ("cut", sound[..80].to_owned()),
        ("one character changed in the header", sound.replace("MC4C", "MC5C")),
        ("public label", sound.replace("PRIVATE", "PUBLIC")),
        ("weak", sound.replace(secret, zeros)),
        ("two keys in one base64", sound.replace(secret, &secret.repeat(2))),
        ("a page", format!("{sound}{}", " ".repeat(20_000))),
    ] {
        write_private(&path, contents.as_bytes());
        let error = FileKey::load(&path).unwrap_err();
        assert_eq!(error.code(), Code::KeyInvalid, "{flaw}: {error:?}");
        assert!(!format!("{error:?}").contains(&secret[24..]), "{flaw}: {error:?}");
    }
    write_private(&path, b"\xff\xfe");
    assert_code(FileKey::load(&path), Code::KeyInvalid, "not text");

    for algorithm in ["x25519", "ed448"] {
        openssl(&["genpkey", "-algorithm", algorithm, "-out", text(&path)]);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_code(FileKey::load(&path), Code::KeyInvalid, algorithm);
    }
    openssl(&["genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:secret", "-out", text(&path)]);
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    assert_code(FileKey::load(&path), Code::KeyInvalid, "encrypted");
    assert_code(FileKey::load(folder.path()), Code::FileFailed, "a folder")
}

#[tokio::test]
async fn a_statement_that_contradicts_itself_is_not_signed() {
    let key = MemoryKey::from_seed(&std::array::from_fn(|at| at as u8)).unwrap();
    let sound = manifest::body(&key);
    for (flaw, body) in [
        ("ends before it starts", {
            let mut body = sound.clone();
            std::mem::swap(&mut body.started_at, &mut body.finished_at);
            body
        }),
        ("names another job's dump", {
            let mut body = sound.clone();
            body.artifact_key = body.artifact_key.replace("019a9f3c", "019a9f3d");
            body
        }),
        ("has a root without an index", {
            let mut body = sound.clone();
            body.content_root = Some(Sha256::of(b""));
            body
        }),
        ("holds a character no other tool agrees on", {
            let mut body = sound.clone();
            body.database_name = "shop\u{7f}".to_owned();
            body
        }),
    ] {
        assert_code(seal(body, &key).await, Code::Internal, flaw);
    }
    seal(sound, &key).await.unwrap();
}

fn write_private(path: &Path, contents: &[u8]) {
    fs::write(path, contents).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn openssl(arguments: &[&str]) -> Output {
    let output = Command::new("openssl").args(arguments).output().expect("openssl is installed");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
