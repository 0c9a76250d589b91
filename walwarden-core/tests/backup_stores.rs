//! Stores that misbehave at any request: a backup seals after retries or fails honestly, and leaves no open upload.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::time::Duration;

use scene::bucket::{UNCOMPRESSED, home, large_database, storage};
use scene::{Home, SHOP, Setup};
use walwarden_core::backup::BackupRunner;
use walwarden_core::catalog::JobState;
use walwarden_core::watch::Unwatched;
use walwarden_core::{Code, Exit, Result};
use walwarden_testkit::postgres::shared;
use walwarden_testkit::storage::{Fault, Requests, S3Server, When};

async fn shop() -> String {
    let name = shared(17).fresh_database("shop").await;
    shared(17).sql(&name, SHOP).await;
    shared(17).dsn(&name)
}

async fn backup_uncompressed(home: &Home, source: &str) -> Result<()> {
    let mut request = home.request(source).await;
    request.options.compression = Some(UNCOMPRESSED);
    home.engine.backup().run(request, &Unwatched).await.map(drop)
}

/// Whatever happened before: no manifest stands without its dump, and what can be proven is what was completed.
async fn assert_honest(home: &Home) {
    let (jobs, objects) = (home.jobs().await, home.backup_objects().await);
    for name in &objects {
        let Some(stem) = name.strip_suffix(".manifest.json") else { continue };
        assert!(objects.contains(&format!("{stem}.dump")), "{objects:?}");
        let job = jobs.iter().find(|job| stem.ends_with(&job.id.to_string())).unwrap();
        // One that could be stored and not be read back stays; the chain says that its job failed.
        assert!(matches!(job.state, JobState::Completed | JobState::FailedTerminal), "{job:?}");
    }
    let completed = jobs.iter().filter(|job| job.state == JobState::Completed).count();
    assert_eq!(home.assert_provable().await, completed as u64);
}

const TRANSIENT: [Fault; 5] = [
    Fault::Status { code: 503, word: "SlowDown" },
    Fault::ConnectionReset,
    Fault::LostAnswer,
    Fault::Status { code: 500, word: "InternalError" },
    Fault::FailedAnswer,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_transient_fault_at_any_request_does_not_keep_a_backup_from_sealing() {
    let (server, source) = (S3Server::start().await, shop().await);
    let mut tried = 0;
    for nth in 1..200 {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path(), &server, &format!("n{nth}")).await;
        let fault = TRANSIENT[nth as usize % TRANSIENT.len()];
        server.inject(Requests::All, When::Nth(nth), fault);
        let before = server.requests();
        home.backup(&source).await.unwrap_or_else(|error| panic!("{fault:?} at request {nth}: {error:?}"));
        let made = server.requests() - before;
        server.heal();
        assert_eq!(home.assert_nothing_half().await, 1, "{fault:?} at request {nth}");
        assert_eq!(home.assert_provable().await, 1, "{fault:?} at request {nth}");
        if made < nth {
            break;
        }
        tried += 1;
    }
    assert!(tried >= 8, "only {tried} requests were tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_at_any_request_fails_the_job_once_or_leaves_it_sealed_and_the_next_run_succeeds() {
    let (server, source) = (S3Server::start().await, shop().await);
    let (mut refused, mut sealed) = (0, 0);
    for nth in 1..200 {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path(), &server, &format!("n{nth}")).await;
        server.inject(Requests::All, When::Nth(nth), Fault::AccessDenied);
        let before = server.requests();
        let outcome = home.backup(&source).await;
        let made = server.requests() - before;
        server.heal();
        match outcome {
            Ok(_) => {
                sealed += 1;
                assert_eq!(home.job().await.state, JobState::Completed);
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.code(), Code::StorageDenied, "request {nth}: {error:?}");
                // Before the store said whether it holds a chain, there is no job to fail.
                if nth == 1 {
                    assert_eq!(home.rows().await, []);
                } else {
                    assert_eq!(home.job().await.state, JobState::FailedTerminal);
                    assert_eq!(home.failures().await, [("storage-denied".to_owned(), false, 1)]);
                }
            }
        }
        if nth > 1 {
            assert_honest(&home).await;
        }
        home.backup(&source).await.unwrap();
        assert_honest(&home).await;
        if made < nth {
            break;
        }
    }
    assert!(refused >= 4 && sealed >= 2, "{refused} refused, {sealed} sealed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stays_away_fails_the_job_after_its_attempts_and_the_next_run_succeeds() {
    let (server, source) = (S3Server::start().await, shop().await);
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path(), &server, "away").await;
    let away = || server.inject(Requests::All, When::Always, Fault::Status { code: 503, word: "SlowDown" });
    away();
    let error = home.backup(&source).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit()), (Code::StorageUnavailable, Exit::Retryable));
    assert_eq!(home.rows().await, [], "a store that cannot be asked may hold a chain: none is begun");
    server.heal();
    home.backup(&source).await.unwrap();
    away();
    assert_eq!(home.backup(&source).await.unwrap_err().code(), Code::StorageUnavailable);
    let class = || "storage-unavailable".to_owned();
    assert_eq!(home.failures().await, [(class(), true, 1), (class(), true, 2), (class(), false, 3)]);
    server.heal();
    assert_eq!(home.assert_nothing_half().await, 1);
    home.backup(&source).await.unwrap();
    assert_eq!(home.assert_nothing_half().await, 2);
    assert_eq!(home.assert_provable().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_storage_missing_and_nothing_is_dumped_twice() {
    let (server, source) = (S3Server::start().await, shop().await);
    let folder = tempfile::tempdir().unwrap();
    let absent = storage(&server.location_of_bucket("absent", ""), server.options()).await;
    let home = Home::set_up(folder.path(), Setup { storage: Some(absent), ..Setup::default() }).await;
    let error = home.backup(&source).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit()), (Code::StorageMissing, Exit::Terminal));
    assert_eq!(home.rows().await, [], "no chain is begun where none can lie");
    drop(home);

    let home = scene::bucket::home(folder.path(), &server, "present").await;
    home.backup(&source).await.unwrap();
    assert_eq!(home.assert_nothing_half().await, 1);
    assert_eq!(home.assert_provable().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_and_stalled_bodies_do_not_keep_the_read_back_from_its_end() {
    let (server, source) = (S3Server::start().await, large_database().await);
    for (number, fault) in
        [Fault::TruncatedBody, Fault::SlowBody(Duration::from_secs(5))].into_iter().enumerate()
    {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path(), &server, &format!("r{number}")).await;
        server.inject(Requests::Get, When::EveryNth(2), fault);
        backup_uncompressed(&home, &source).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        server.heal();
        assert_eq!(home.assert_nothing_half().await, 1);
        assert_eq!(home.assert_provable().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_ignores_put_if_absent_still_keeps_every_backup_apart() {
    let (server, source) = (S3Server::start().await, shop().await);
    server.ignore_conditions(true);
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path(), &server, "careless").await;
    assert!(!home.storage.abilities().await.unwrap().put_if_absent);
    for expected in 1..=3 {
        home.backup(&source).await.unwrap();
        assert_eq!(home.assert_nothing_half().await, expected);
        assert_eq!(home.assert_provable().await, expected as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_uploads_that_fail_leave_no_open_upload() {
    let (server, source) = (S3Server::start().await, large_database().await);
    let down = Fault::Status { code: 500, word: "InternalError" };
    for (number, (requests, when, fault, seals)) in [
        (Requests::Begin, When::First(2), down, true),
        (Requests::Part, When::EveryNth(2), Fault::ConnectionReset, true),
        (Requests::Complete, When::First(1), Fault::LostAnswer, true),
        (Requests::Complete, When::First(6), down, true), // longer than one attempt is patient
        (Requests::Part, When::Always, down, false),
        (Requests::Part, When::Nth(2), Fault::AccessDenied, false),
        (Requests::Complete, When::Always, down, false),
        (Requests::Complete, When::Nth(1), Fault::AccessDenied, false),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path(), &server, &format!("u{number}")).await;
        server.inject(requests, when, fault);
        let outcome = backup_uncompressed(&home, &source).await;
        server.heal();
        assert_eq!(outcome.is_ok(), seals, "{requests:?} {when:?} {fault:?}: {outcome:?}");
        assert_eq!(server.unfinished_uploads(), 0, "{requests:?} {when:?} {fault:?}");
        assert_eq!(home.assert_nothing_half().await, usize::from(seals), "{requests:?} {when:?} {fault:?}");
        if !seals {
            assert_eq!(home.job().await.state, JobState::FailedTerminal);
            home.backup(&source).await.unwrap();
        }
        assert_eq!(home.assert_provable().await, 1);
    }
}
