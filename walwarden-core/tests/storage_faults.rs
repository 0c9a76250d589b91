//! Stores that answer badly: what is worth repeating is repeated, what is not is an error at once, nothing is lost and
//! nothing stays behind.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap as tests do

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use walwarden_core::clock::SystemRandom;
use walwarden_core::secret::Secret;
use walwarden_core::storage::{Location, ObjectName, Options, Patience, Storage, StorageExt, UploadId, open};
use walwarden_core::{Code, Error, Result};
use walwarden_testkit::storage::{Fault, Requests, S3Server, When};

/// Short pauses, so that tests are quick.
fn hasty(options: Options) -> Options {
    options.with_patience(Patience {
        tries: 6,
        first_pause: Duration::from_millis(2),
        limit: Duration::from_secs(20),
        silence: Duration::from_secs(2),
    })
}

async fn server() -> (S3Server, Arc<dyn Storage>) {
    let server = S3Server::start().await;
    let storage =
        open(&server.location("prefix"), &hasty(server.options()), Arc::new(SystemRandom)).await.unwrap();
    (server, storage)
}

fn name(text: &str) -> ObjectName {
    ObjectName::new(text).unwrap()
}

fn body(mib: usize) -> Bytes {
    (0..mib << 20).map(|at| (at * 31 + (at >> 13)) as u8).collect::<Vec<u8>>().into()
}

async fn put_in_chunks(storage: &dyn Storage, name: &ObjectName, body: &Bytes) -> Result<()> {
    let mut upload = storage.upload(name).await?;
    let mut rest = body.clone();
    while !rest.is_empty() {
        if let Err(error) = upload.write(rest.split_to(rest.len().min(1 << 20))).await {
            let _ = upload.abort().await;
            return Err(error);
        }
    }
    upload.finish().await.map(drop)
}

const TRANSIENT: [Fault; 7] = [
    Fault::Status { code: 500, word: "InternalError" },
    Fault::Status { code: 503, word: "SlowDown" },
    Fault::Status { code: 429, word: "TooManyRequests" },
    Fault::Status { code: 499, word: "" },
    Fault::Status { code: 409, word: "ConditionalRequestConflict" },
    Fault::Status { code: 408, word: "" },
    Fault::ConnectionReset,
];

#[tokio::test(flavor = "multi_thread")]
async fn transient_faults_are_waited_out_on_every_kind_of_request() {
    let kinds = [
        Requests::Get,
        Requests::Head,
        Requests::Put,
        Requests::Begin,
        Requests::Part,
        Requests::Complete,
        Requests::List,
    ];
    let (server, storage) = server().await;
    let large = body(9);
    for (round, fault) in TRANSIENT.into_iter().enumerate() {
        for kind in kinds {
            server.inject(kind, When::First(2), fault);
        }
        let (small, big) = (name(&format!("{round}/small")), name(&format!("{round}/big")));
        storage.put(&small, "small".into()).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        put_in_chunks(&*storage, &big, &large).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        assert_eq!(storage.read(&small, 100).await.unwrap(), "small");
        assert!(storage.read(&big, 1 << 30).await.unwrap() == large);
        assert_eq!(storage.list(&round.to_string()).await.unwrap().len(), 2, "{fault:?}");
        server.heal();
    }
    assert_eq!(server.unfinished_uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stays_down_is_storage_unavailable_after_bounded_tries() {
    let (server, storage) = server().await;
    storage.put(&name("there"), "x".into()).await.unwrap();
    for fault in TRANSIENT {
        server.inject(Requests::All, When::Always, fault);
        let before = server.requests();
        for error in [
            storage.put(&name("new"), "x".into()).await.unwrap_err(),
            storage.get(&name("there"), None).await.unwrap_err(),
            storage.list("").await.unwrap_err(),
            storage.abandon(&name("new"), &UploadId("x".into())).await.unwrap_err(),
            storage.abilities().await.unwrap_err(),
        ] {
            assert_eq!(error.code(), Code::StorageUnavailable, "{fault:?}: {error:?}");
        }
        let most = 5 * 6 + 3; // the probe also tries once to remove each of its objects
        assert!(server.requests() - before <= 2 * most, "tries are bounded, also where the client resends");
        server.heal();
    }
    storage.put(&name("new"), "after all".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_reported_at_once_with_their_own_code() {
    let (server, storage) = server().await;
    for (fault, code) in [
        (Fault::AccessDenied, Code::StorageDenied),
        (Fault::Status { code: 403, word: "SignatureDoesNotMatch" }, Code::StorageDenied),
        (Fault::Status { code: 400, word: "ExpiredToken" }, Code::StorageDenied),
        (Fault::Status { code: 301, word: "PermanentRedirect" }, Code::DestinationInvalid),
        (Fault::Status { code: 507, word: "" }, Code::StorageFull),
        (Fault::NoSuchBucket, Code::StorageMissing),
    ] {
        for kind in [Requests::Put, Requests::Get, Requests::List] {
            server.inject(kind, When::Always, fault);
            let before = server.requests_of(kind);
            let outcome = match kind {
                Requests::Put => storage.put(&name("new"), "x".into()).await.map(drop),
                Requests::Get => storage.get(&name("new"), None).await.map(drop),
                _ => storage.list("").await.map(drop),
            };
            assert_eq!(outcome.unwrap_err().code(), code, "{fault:?} on {kind:?}");
            assert_eq!(server.requests_of(kind) - before, 1, "{fault:?} on {kind:?} is not repeated");
            server.heal();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_and_missing_buckets_are_told_apart_from_missing_objects() {
    let server = S3Server::start().await;
    let wrong = hasty(server.options()).with_credential("aws_secret_access_key", Secret::new("hunter2"));
    let storage = open(&server.location(""), &wrong, Arc::new(SystemRandom)).await.unwrap();
    for error in every_error(&*storage).await {
        assert_eq!(error.code(), Code::StorageDenied, "{error:?}");
        assert!(!shown(&error).contains("hunter2"));
    }
    let location = server.location_of_bucket("no-such-bucket", "");
    let storage = open(&location, &hasty(server.options()), Arc::new(SystemRandom)).await.unwrap();
    for error in every_error(&*storage).await {
        assert_eq!(error.code(), Code::StorageMissing, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listening_is_storage_unavailable() {
    let location = Location::parse("s3://bucket?endpoint=http://127.0.0.1:1").unwrap();
    let options = Options::default()
        .with_credential("aws_access_key_id", Secret::new("a"))
        .with_credential("aws_secret_access_key", Secret::new("b"));
    let storage = open(&location, &hasty(options), Arc::new(SystemRandom)).await.unwrap();
    for error in every_error(&*storage).await {
        assert_eq!(error.code(), Code::StorageUnavailable, "{error:?}");
    }
}

async fn every_error(storage: &dyn Storage) -> [Error; 3] {
    [
        storage.put(&name("new"), "x".into()).await.unwrap_err(),
        storage.get(&name("new"), None).await.unwrap_err(),
        storage.list("").await.unwrap_err(),
    ]
}

fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_never_repeat_what_a_server_puts_into_its_answer() {
    let (server, storage) = server().await;
    for fault in TRANSIENT.into_iter().chain([Fault::AccessDenied, Fault::NoSuchBucket]) {
        server.inject(Requests::All, When::Always, fault);
        for error in every_error(&*storage).await {
            assert!(!shown(&error).contains(S3Server::SECRET_KEY), "{error:?}");
        }
        server.heal();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_does_not_turn_our_own_object_into_a_foreign_one() {
    let (server, storage) = server().await;
    let large = body(9);
    for (round, fault) in [Fault::LostAnswer, Fault::FailedAnswer].into_iter().enumerate() {
        server.inject(Requests::Put, When::First(1), fault);
        server.inject(Requests::Complete, When::First(1), fault);
        let (small, big) = (name(&format!("{round}/small")), name(&format!("{round}/big")));
        storage.put(&small, "small".into()).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        put_in_chunks(&*storage, &big, &large).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        assert!(storage.read(&big, 1 << 30).await.unwrap() == large);
        server.heal();
    }
    assert_eq!(server.unfinished_uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_lost_answer_a_foreign_object_is_still_a_foreign_one() {
    let (server, storage) = server().await;
    storage.put(&name("taken"), "theirs".into()).await.unwrap();
    server.inject(Requests::Head, When::First(1), Fault::ConnectionReset);
    let error = storage.put(&name("taken"), "ours!!".into()).await.unwrap_err();
    assert_eq!(error.code(), Code::ObjectExists);
    assert_eq!(storage.read(&name("taken"), 100).await.unwrap(), "theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_in_the_body_of_a_200_is_no_success() {
    let (server, storage) = server().await;
    server.inject(Requests::Complete, When::First(1), Fault::ErrorInBody);
    let large = body(9);
    put_in_chunks(&*storage, &name("big"), &large).await.unwrap();
    assert!(storage.read(&name("big"), 1 << 30).await.unwrap() == large);

    server.inject(Requests::Complete, When::Always, Fault::ErrorInBody);
    let error = put_in_chunks(&*storage, &name("never"), &large).await.unwrap_err();
    assert_eq!(error.code(), Code::StorageUnavailable);
    assert_eq!(storage.get(&name("never"), None).await.unwrap_err().code(), Code::ObjectMissing);
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_bodies_are_read_on_from_where_they_broke() {
    let (server, storage) = server().await;
    let large = body(9);
    put_in_chunks(&*storage, &name("big"), &large).await.unwrap();
    for fault in [Fault::TruncatedBody, Fault::SlowBody(Duration::from_secs(60))] {
        server.inject(Requests::Get, When::First(2), fault);
        assert!(storage.read(&name("big"), 1 << 30).await.unwrap() == large, "{fault:?}");
        server.inject(Requests::Get, When::First(2), fault);
        let ranged = storage.get(&name("big"), Some(1_000_000..8_000_000)).await.unwrap();
        let chunks: Vec<Bytes> = ranged.body.try_collect().await.unwrap();
        assert!(chunks.concat() == large[1_000_000..8_000_000], "{fault:?}");
        server.heal();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_always_breaks_is_an_error_and_never_a_short_success() {
    let (server, storage) = server().await;
    storage.put(&name("object"), body(1)).await.unwrap();
    server.inject(Requests::Get, When::Always, Fault::TruncatedBody);
    let fetched = storage.get(&name("object"), None).await.unwrap();
    let outcome: Result<Vec<Bytes>> = fetched.body.try_collect().await;
    assert_eq!(outcome.unwrap_err().code(), Code::StorageUnavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_replaced_while_it_is_read_is_a_mismatch() {
    let (server, storage) = server().await;
    storage.put(&name("object"), vec![1; 4 << 20].into()).await.unwrap();
    server.inject(Requests::Get, When::First(1), Fault::SlowBody(Duration::from_secs(60)));
    let fetched = storage.get(&name("object"), None).await.unwrap();
    std::fs::write(server.bucket_folder().join("prefix/object"), vec![2; 3 << 20]).unwrap();
    let outcome: Result<Vec<Bytes>> = fetched.body.try_collect().await;
    assert_eq!(outcome.unwrap_err().code(), Code::ReadBackMismatch);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_sees_through_a_store_that_ignores_conditions() {
    let (server, storage) = server().await;
    server.ignore_conditions(true);
    let abilities = storage.abilities().await.unwrap();
    assert!(!abilities.put_if_absent);
    assert!(abilities.note.unwrap().contains("replaces existing objects"));

    // Looking first still protects against all but a race.
    storage.put(&name("manifest"), "first".into()).await.unwrap();
    let error = storage.put(&name("manifest"), "second".into()).await.unwrap_err();
    assert_eq!(error.code(), Code::ObjectExists);
    let error = put_in_chunks(&*storage, &name("manifest"), &body(9)).await.unwrap_err();
    assert_eq!(error.code(), Code::ObjectExists);
    assert_eq!(storage.read(&name("manifest"), 100).await.unwrap(), "first");
    assert_eq!(server.unfinished_uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unprobed_store_that_ignores_conditions_does_not_replace_either() {
    let (server, storage) = server().await;
    server.ignore_conditions(true);
    storage.put(&name("manifest"), "first".into()).await.unwrap();
    let error = storage.put(&name("manifest"), "second".into()).await.unwrap_err();
    assert_eq!(error.code(), Code::ObjectExists);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probed_store_is_not_looked_at_before_each_small_object() {
    let (server, storage) = server().await;
    assert!(storage.abilities().await.unwrap().put_if_absent);
    let before = server.requests();
    storage.put(&name("one"), "x".into()).await.unwrap();
    assert_eq!(server.requests() - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_parts_and_completions_leave_no_open_upload() {
    let (server, storage) = server().await;
    let large = body(20);
    for kind in [Requests::Part, Requests::Complete] {
        server.inject(kind, When::Always, Fault::AccessDenied);
        let error = put_in_chunks(&*storage, &name("big"), &large).await.unwrap_err();
        assert_eq!(error.code(), Code::StorageDenied, "{kind:?}");
        server.heal();
        assert_eq!(server.unfinished_uploads(), 0, "{kind:?}");
        assert!(storage.list("").await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_a_killed_process_is_removed_by_another_one() {
    let (server, storage) = server().await;
    let mut upload = storage.upload(&name("big")).await.unwrap();
    assert_eq!(upload.id(), None, "nothing is in the store yet");
    for chunk in body(20).chunks(1 << 20) {
        upload.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    let id = upload.id().expect("parts are in the store");
    drop(upload);
    assert_eq!(server.unfinished_uploads(), 1);

    let other =
        open(&server.location("prefix"), &hasty(server.options()), Arc::new(SystemRandom)).await.unwrap();
    for _ in 0..2 {
        other.abandon(&name("big"), &id).await.unwrap();
        assert_eq!(server.unfinished_uploads(), 0);
    }
    assert!(other.list("").await.unwrap().is_empty());
}

#[tokio::test]
async fn unknown_credentials_are_refused_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    for (url, known) in [
        ("s3://bucket", "aws_access_key_id, "),
        ("az://account/container", "azure_storage_account_key, "),
        (folder.path().to_str().unwrap(), "known=none"),
    ] {
        let location = Location::parse(url).unwrap();
        let options = Options::default().with_credential("aws_endpoint", Secret::new("hunter2"));
        let error = open(&location, &options, Arc::new(SystemRandom)).await.unwrap_err();
        assert_eq!(error.code(), Code::ArgumentInvalid);
        assert!(error.to_string().contains("aws_endpoint") && error.to_string().contains(known), "{error}");
        assert!(!shown(&error).contains("hunter2"));
    }
}

/// Sending a large part may take longer than the patience with a store that fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_took_long_to_fail_is_followed_by_another() {
    let server = S3Server::start().await;
    let limit = Duration::from_millis(200);
    let patience =
        Patience { tries: 3, first_pause: Duration::from_millis(2), limit, silence: Duration::from_secs(5) };
    let options = server.options().with_patience(patience);
    let storage = open(&server.location("prefix"), &options, Arc::new(SystemRandom)).await.unwrap();
    server.inject(Requests::Part, When::First(1), Fault::LateFailure(limit * 2));
    let large = body(9);
    put_in_chunks(&*storage, &name("big"), &large).await.unwrap();
    assert!(storage.read(&name("big"), 1 << 30).await.unwrap() == large);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_stops_coming_is_asked_for_again() {
    let (server, storage) = server().await;
    storage.put(&name("object"), "x".into()).await.unwrap();
    server.inject(Requests::List, When::First(1), Fault::SlowBody(Duration::from_secs(600)));
    let listed = tokio::time::timeout(Duration::from_secs(60), storage.list("")).await;
    assert_eq!(listed.expect("nobody waits for ever").unwrap().len(), 1);
}

/// After a lost answer the object is read, to see whether it is ours.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_stops_coming_while_it_is_compared_keeps_nobody_waiting() {
    let (server, storage) = server().await;
    server.inject(Requests::Put, When::First(1), Fault::LostAnswer);
    server.inject(Requests::Get, When::First(1), Fault::SlowBody(Duration::from_secs(600)));
    let object = name("object");
    let put = tokio::time::timeout(Duration::from_secs(60), storage.put(&object, body(1))).await;
    assert_eq!(
        put.expect("nobody waits for ever").unwrap_err().code(),
        Code::ObjectExists,
        "any doubt is no"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_large_part_is_on_its_way_no_other_is_held() {
    let server = S3Server::start().await;
    let location = Location::parse(&format!("{}&part_mib=33", server.location("prefix"))).unwrap();
    let storage = open(&location, &hasty(server.options()), Arc::new(SystemRandom)).await.unwrap();
    let pause = Duration::from_millis(700);
    server.inject(Requests::Part, When::First(1), Fault::LateFailure(pause));
    let mut upload = storage.upload(&name("big")).await.unwrap();
    upload.write(body(33)).await.unwrap();
    let begun = std::time::Instant::now();
    upload.write("x".into()).await.unwrap();
    assert!(begun.elapsed() >= pause, "the first byte of the second part waits for the first part");
    upload.finish().await.unwrap();
}
