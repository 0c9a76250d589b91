//! After a restore: every table is compared with what the backup's index says of it.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use scene::programs::Program;
use scene::restore::{Scene, unique};
use walwarden_core::restore::{Check, Mode};
use walwarden_core::storage::{ObjectName, StorageExt};
use walwarden_core::{Code, Exit};
use walwarden_testkit::postgres::bin_dir;
use walwarden_testkit::torture::Torture;

#[tokio::test(flavor = "multi_thread")]
async fn restored_tables_agree_in_number_and_digest() {
    for major in [14, 18] {
        let sql = Torture { bulk_rows: 3_000, ..Torture::default() }.sql();
        let scene = Scene::of(major, &sql).await;
        for (check, jobs) in [(Check::Counts, 1), (Check::Digests, 1), (Check::Digests, 3)] {
            let mut request = scene.named(&unique("checked")).await;
            (request.check, request.jobs) = (check, jobs);
            let checked = scene.run(request).await.unwrap().checked.unwrap();
            assert!(checked.len() > 10 && checked.iter().all(|table| table.agrees()), "{checked:?}");
            let bulk = checked.iter().find(|table| table.table.name == "mixed").unwrap();
            assert_eq!((bulk.expected_rows, bulk.actual_rows), (3_000, 3_000));
            assert_eq!(bulk.actual_digest.is_some(), check == Check::Digests);
        }
        let mut request = scene.named(&unique("unchecked")).await;
        request.check = Check::None;
        assert_eq!(scene.run(request).await.unwrap().checked, None);
    }
}

/// A `pg_restore` after whose last section somebody meddles with what was restored.
fn meddling(sql: &str) -> Program {
    let bin = bin_dir(17);
    Program::new("").with(
        "pg_restore",
        &format!(
            "for argument in \"$@\"; do case \"$argument\" in --dbname=*) target=\"${{argument#--dbname=}}\";; esac; done
             '{bin}/pg_restore' \"$@\" || exit
             case \"$*\" in *--section=pre-data*|*--section=data*) exit;; esac
             [ -z \"$target\" ] || exec '{bin}/psql' -X -q -d \"$target\" -c \"{sql}\"",
            bin = bin.display()
        ),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_that_differs_is_named_and_does_not_stay() {
    let scene = Scene::new(17).await;
    for (check, sql, told) in [
        (Check::Counts, "drop table orders cascade", "orders"),
        (Check::Digests, "drop table orders cascade", "orders"),
        (
            Check::Counts,
            "delete from orders where id = 7",
            "\"public\".\"orders\" has 1999 rows instead of 2000",
        ),
        (
            Check::Digests,
            "update orders set id = 9000 where id = 7",
            "\"public\".\"orders\" has other values",
        ),
    ] {
        let name = unique("differs");
        let mut request = scene.named(&name).await;
        let program = meddling(sql);
        (request.check, request.clients) = (check, program.clients().await);
        let error = scene.run(request).await.unwrap_err();
        assert_eq!((error.code(), error.code().exit()), (Code::ContentMismatch, Exit::Terminal), "{error:?}");
        assert!(error.message().contains(told), "{error}");
        assert!(!Scene::databases(scene.postgres).await.contains(&name));
    }
    // Counting sees no changed value, and says no more than that.
    let mut request = scene.named(&unique("same-number")).await;
    let program = meddling("update orders set id = 9000 where id = 7");
    request.clients = program.clients().await;
    scene.run(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_altered_stops_a_restore_before_the_target_is_touched() {
    let scene = Scene::new(17).await;
    let stated = scene.sealed.manifest.body().index.clone().unwrap();
    let path = scene.home.folder.join("store").join(&stated.key);
    let text = std::fs::read_to_string(&path).unwrap();
    let other = text.replace("\"rowCount\":\"2000\"", "\"rowCount\":\"2001\"");
    assert_ne!(text, other);
    std::fs::write(&path, other).unwrap();
    let name = unique("altered");
    let error = scene.run(scene.named(&name).await).await.unwrap_err();
    assert_eq!(error.code(), Code::ArtifactMismatch, "{error:?}");
    assert!(error.message().contains(".index.json"), "{error}");
    assert!(!Scene::databases(scene.postgres).await.contains(&name));

    std::fs::write(&path, text).unwrap();
    let mut request = scene.request(&scene.source, Mode::InPlace).await;
    request.confirm_destructive = true;
    assert!(scene.run(request).await.unwrap().checked.unwrap().iter().all(|table| table.agrees()));
    let name = ObjectName::new(stated.key).unwrap();
    assert_eq!(scene.home.storage.read(&name, 1 << 20).await.unwrap().len() as u64, stated.size_bytes);
}
