//! The throwaway servers themselves.

use walwarden_testkit::postgres::{self, MAJORS, Postgres};
use walwarden_testkit::torture::{self, Torture};

#[tokio::test]
async fn every_major_takes_the_torture_schema() {
    for major in MAJORS {
        let server = postgres::shared(major);
        let database = server.fresh_database("torture").await;
        let contrib = torture::has_contrib(&postgres::bin_dir(major));
        assert!(contrib || major != 17, "contrib modules of {major} not found");
        let torture = Torture { contrib, many_tables: 5, bulk_rows: 10 };
        server.sql(&database, &torture.sql()).await;
        let row = server.connect(&database).await.query_one("SHOW server_version_num", &[]).await.unwrap();
        assert!(row.get::<_, &str>(0).starts_with(&major.to_string()));
    }
}

#[tokio::test]
async fn stopping_leaves_nothing_behind() {
    let server = Postgres::start(15);
    let folder = server.socket_dir().to_owned();
    server.sql("postgres", "SELECT 1").await;
    server.stop();
    assert!(!folder.exists());
}

#[tokio::test]
async fn killing_breaks_running_sessions() {
    let server = Postgres::start(15);
    let client = server.connect("postgres").await;
    let asleep = tokio::spawn(async move { client.batch_execute("SELECT pg_sleep(60)").await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    server.kill();
    assert!(asleep.await.unwrap().is_err());
}
