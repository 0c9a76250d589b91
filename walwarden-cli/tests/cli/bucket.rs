//! A bucket as destination; the credentials come from the variables that the provider's own tools read.

use walwarden_testkit::storage::S3Server;

use crate::scene::{Ended, Scene, ended};
use crate::shop::{Shop, assert_no_password};

fn with_credentials(scene: &Scene, secret: &str, arguments: &[&str]) -> Ended {
    let mut command = scene.walwarden(arguments);
    ended(command.env("AWS_ACCESS_KEY_ID", S3Server::ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", secret))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_backed_up_to_and_restored_from() {
    let shop = Shop::open().await;
    let bucket = S3Server::start().await;
    let scene = shop.configured();
    let url = bucket.location("prod").to_string();
    scene.run(&["database", "add", "bucket", "--dsn", &shop.dsn, "--destination", &url]).succeeds();

    let check = with_credentials(&scene, S3Server::SECRET_KEY, &["database", "check", "bucket"]).succeeds();
    assert!(check.stdout.contains("ready: "), "{}", check.stdout);
    let run = ["backup", "run", "--database", "bucket"];
    let done = with_credentials(&scene, S3Server::SECRET_KEY, &run).succeeds();
    let completed = done.records().pop().unwrap();
    let manifest = completed["payload"]["manifestSha256"].as_str().unwrap();

    let (copy, target) = (format!("{}_bucket", shop.name), shop.target());
    let restore = [
        "restore",
        "--manifest",
        manifest,
        "--target",
        &target,
        "--mode",
        "new_database",
        "--created-database",
        &copy,
    ];
    with_credentials(&scene, S3Server::SECRET_KEY, &restore).succeeds();
    assert_eq!(shop.orders_in(&copy).await, 2000);

    let wrong = with_credentials(&scene, "hunter2-wrong", &run).fails(3, "storage-denied");
    for output in [&done.stdout, &done.stderr, &wrong.stdout, &wrong.stderr, &check.stdout] {
        assert!(!output.contains(S3Server::SECRET_KEY) && !output.contains("hunter2"), "{output}");
        assert_no_password(output);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_a_bucket_that_does_not_answer_ends_soon() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let url = "s3://backups?endpoint=http://127.0.0.1:1";
    scene.run(&["database", "add", "bucket", "--dsn", &shop.dsn, "--destination", url]).succeeds();
    let began = std::time::Instant::now();
    let ended = with_credentials(&scene, "x", &["--json", "database", "check", "bucket"]).exits(1);
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    assert_eq!(ended.records()[0]["data"]["findings"][0]["code"], "storage-unavailable");
}
