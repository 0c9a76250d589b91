use super::*;
use crate::error::Code;

fn client(major: u32) -> Client {
    let mut codecs = BTreeSet::from([Codec::None, Codec::Gzip]);
    if major >= 17 {
        codecs.extend([Codec::Lz4, Codec::Zstd]);
    }
    Client { dir: format!("/pg/{major}").into(), version: format!("{major}.1"), major, codecs }
}

fn set(majors: &[u32]) -> ClientSet {
    majors.iter().map(|major| client(*major)).collect()
}

#[test]
fn dump_takes_the_lowest_that_is_not_older() {
    let all = set(&[18, 14, 17, 15, 16]);
    for major in 14..=18 {
        assert_eq!(all.choose_for_dump(major, Codec::Gzip).unwrap().major(), major);
    }
    assert_eq!(set(&[14, 17, 18]).choose_for_dump(15, Codec::None).unwrap().major(), 17);
    // A codec moves the choice up to a client that has it.
    assert_eq!(all.choose_for_dump(14, Codec::Zstd).unwrap().major(), 17);
}

#[test]
fn missing_clients_are_explained() {
    let error = set(&[14, 15]).choose_for_dump(17, Codec::Gzip).unwrap_err();
    assert_eq!(error.code(), Code::ClientMissing);
    assert_eq!(
        error.message(),
        "no pg_dump for a server of major 17: 17 or later is needed; found: 14.1 in /pg/14, 15.1 in /pg/15"
    );
    assert!(set(&[]).choose_for_dump(17, Codec::Gzip).unwrap_err().message().ends_with("found: none"));
    assert!(
        set(&[15, 16])
            .choose_for_dump(15, Codec::Zstd)
            .unwrap_err()
            .message()
            .contains("compressed with zstd")
    );
    let error = set(&[14, 15]).choose_for_restore(18, 18, Codec::Gzip).unwrap_err();
    assert!(error.message().contains("written by pg_dump 18: 17 or later is needed"), "{error}");
}

#[test]
fn restore_prefers_the_targets_own_major() {
    let all = set(&[14, 15, 16, 17, 18]);
    // archive of, target, chosen, transaction_timeout error
    for (dump, target, chosen, error) in [
        (14, 14, 14, false),
        (14, 18, 18, false),
        (15, 14, 14, false), // both write 1.14
        (16, 14, 16, false), // 14 and 15 cannot read 1.15
        (17, 14, 17, true),  // nothing below 17 reads 1.16
        (18, 15, 17, true),
        (18, 17, 17, false), // 17 reads what 18 writes
        (18, 18, 18, false),
    ] {
        let choice = all.choose_for_restore(dump, target, Codec::Gzip).unwrap();
        assert_eq!(
            (choice.client.major(), choice.expects_transaction_timeout_error),
            (chosen, error),
            "archive of {dump} into {target}"
        );
    }
    // Own major missing: rather an older client than one that reports errors.
    assert_eq!(set(&[14, 18]).choose_for_restore(14, 16, Codec::Gzip).unwrap().client.major(), 14);
    assert_eq!(set(&[15, 17]).choose_for_restore(15, 18, Codec::Gzip).unwrap().client.major(), 17);
    // A major that is not out yet is taken to write what none of today's can read.
    assert!(all.choose_for_restore(19, 18, Codec::Gzip).is_err());
}

/// The nearest client reads the archive's format, but was built without its compression.
#[test]
fn restore_takes_a_client_that_has_the_archives_compression() {
    let both = set(&[16, 17]);
    assert_eq!(both.choose_for_restore(16, 16, Codec::Gzip).unwrap().client.major(), 16);
    assert_eq!(both.choose_for_restore(16, 16, Codec::Zstd).unwrap().client.major(), 17);
    let error = set(&[16]).choose_for_restore(16, 16, Codec::Lz4).unwrap_err();
    assert_eq!(error.code(), Code::ClientMissing);
    assert!(error.message().contains("can read lz4"), "{error}");
    assert!(error.message().ends_with("found: 16.1 in /pg/16"), "{error}");
}

#[tokio::test]
async fn folders_without_a_working_pg_dump_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Client::at(dir.path()).await, None);
    std::fs::write(dir.path().join("pg_dump"), "not a program").unwrap();
    assert_eq!(Client::at(dir.path()).await, None);
    let search =
        ClientSearch { dirs: vec![dir.path().into(), "/nowhere".into()], path: None, well_known: false };
    assert_eq!(ClientSet::find(&search).await.iter().count(), 0);
}
