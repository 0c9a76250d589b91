//! Sources that cannot be dumped: each failure has its class, no secret is told, and the next good run succeeds.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use scene::{Diary, Home, SHOP};
use walwarden_core::backup::{BackupRequest, BackupRunner};
use walwarden_core::catalog::{JobQuery, JobState};
use walwarden_core::source::{ClientSearch, ClientSet};
use walwarden_core::watch::Unwatched;
use walwarden_core::{Code, Exit, Retry};
use walwarden_testkit::postgres::{USER, bin_dir, shared};

async fn shop() -> String {
    let name = shared(17).fresh_database("shop").await;
    shared(17).sql(&name, SHOP).await;
    name
}

/// Runs the request to its failure and checks everything that is to be known of it.
async fn assert_fails(home: &Home, request: BackupRequest, code: Code, exit: Exit, says: &str) {
    let error = home.engine.backup().run(request, &Unwatched).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit()), (code, exit), "{error:?}");
    assert!(error.message().contains(says), "{error}");
    assert!(!format!("{error:?}").contains(SECRET));
    assert!(!error.code().next_action().is_empty());

    let job = home.job().await;
    let attempts = if code.retry() == Retry::Yes { 3 } else { 1 };
    assert_eq!((job.state, job.attempt), (JobState::FailedTerminal, attempts));
    assert_eq!(job.failure.as_deref(), Some(code.text()));
    let told: Vec<_> =
        (1..=attempts).map(|at| (code.text().to_owned(), at < attempts, u64::from(at))).collect();
    assert_eq!(home.failures().await, told);
    let rows = home.rows().await;
    assert!(rows.iter().all(|row| !String::from_utf8(row.to_canonical().to_vec()).unwrap().contains(SECRET)));
    assert_eq!(home.assert_nothing_half().await, 0);

    home.backup(&shared(17).dsn(&shop().await)).await.unwrap();
    assert_eq!(home.assert_nothing_half().await, 1);
    assert_eq!(home.assert_provable().await, 1);
}

async fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    (folder, home)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_where_nobody_listens_is_source_unreachable() {
    let (_folder, home) = home().await;
    let request = home.request(&format!("postgresql://u:{SECRET}@127.0.0.1:1/shop")).await;
    assert_fails(&home, request, Code::SourceUnreachable, Exit::Retryable, "127.0.0.1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_no_name_server_knows_is_source_unreachable() {
    let (_folder, home) = home().await;
    let request = home.request(&format!("postgresql://u:{SECRET}@nowhere.invalid/shop")).await;
    assert_fails(&home, request, Code::SourceUnreachable, Exit::Retryable, "nowhere.invalid").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_source_login_refused() {
    let (_folder, home) = home().await;
    let request = home.request(&shared(17).dsn_as(USER, SECRET, &shop().await)).await;
    assert_fails(&home, request, Code::SourceLoginRefused, Exit::UserError, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_database_is_source_database_missing() {
    let (_folder, home) = home().await;
    let request = home.request(&shared(17).dsn("no such database")).await;
    assert_fails(&home, request, Code::SourceDatabaseMissing, Exit::UserError, "no such database").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_table_that_may_not_be_read_is_source_permission_and_is_named() {
    let (_folder, home) = home().await;
    let name = shop().await;
    let role = format!("reader_of_{name}");
    let grants = format!(
        "create role {role} login password '{SECRET}'; grant usage on schema public to {role};
         grant select on all tables in schema public to {role}; grant select on all sequences in schema public to {role};
         create table diary (line text); insert into diary values ('private')"
    );
    shared(17).sql(&name, &grants).await;
    let request = home.request(&shared(17).dsn_as(&role, SECRET, &name)).await;
    assert_fails(&home, request, Code::SourcePermission, Exit::Terminal, "diary").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_newer_than_every_client_is_client_missing() {
    let (_folder, home) = home().await;
    let mut request = home.request(&shared(17).dsn(&shop().await)).await;
    let dirs = [14, 15, 16].map(bin_dir).to_vec();
    request.clients = ClientSet::find(&ClientSearch { dirs, path: None, well_known: false }).await;
    assert_fails(&home, request, Code::ClientMissing, Exit::UserError, "17").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_over_no_connection_is_refused_before_anything_is_recorded() {
    let (_folder, home) = home().await;
    let mut request = home.request(&shared(17).dsn(&shop().await)).await;
    request.jobs = 0;
    let error = home.engine.backup().run(request, &Diary::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::ArgumentInvalid, "{error:?}");
    assert!(home.engine.catalog().jobs(JobQuery::default()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_pattern_that_matches_nothing_is_dump_failed() {
    let (_folder, home) = home().await;
    let mut request = home.request(&shared(17).dsn(&shop().await)).await;
    request.options.tables = vec!["misspelt".to_owned()];
    assert_fails(&home, request, Code::DumpFailed, Exit::Terminal, "misspelt").await;
}

const SECRET: &str = "hunter2-never-shown";

#[tokio::test(flavor = "multi_thread")]
async fn an_exclusion_that_names_nothing_is_refused() {
    for (option, misspelt) in [
        ("exclude-table", "custommers"),
        ("exclude-table-data", "public.\"Customers\""),
        ("exclude-schema", "publik"),
    ] {
        let (_folder, home) = home().await;
        let mut request = home.request(&shared(17).dsn(&shop().await)).await;
        let patterns = match option {
            "exclude-table" => &mut request.options.exclude_tables,
            "exclude-table-data" => &mut request.options.exclude_table_data,
            _ => &mut request.options.exclude_schemas,
        };
        patterns.push(misspelt.to_owned());
        let says = format!("{option}={misspelt:?}");
        assert_fails(&home, request, Code::ArgumentInvalid, Exit::UserError, &says).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exclusion_with_wildcards_that_matches_nothing_now_is_told_of() {
    let (_folder, home) = home().await;
    let mut request = home.request(&shared(17).dsn(&shop().await)).await;
    request.options.exclude_tables =
        vec!["tmp_*".to_owned(), "CUSTOM*".to_owned(), "public.orders".to_owned()];
    request.options.exclude_table_data = vec!["pictures".to_owned()];
    let diary = Diary::default();
    home.engine.backup().run(request, &diary).await.unwrap();
    assert_eq!(diary.notices(), "an exclusion matches nothing in the database exclude-table=\"tmp_*\"");
}
