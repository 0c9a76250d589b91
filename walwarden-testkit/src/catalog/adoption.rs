use walwarden_core::Code;
use walwarden_core::catalog::{Catalog, CatalogExt, JobQuery, JobState, Lease, Step};
use walwarden_core::chain::Subject;
use walwarden_core::verify::{EventKind, Row};

use super::{claim, consistent_rows, now, queue, walk};
use crate::chain::{assert_code, job_id, subject};

pub(super) async fn a_chain_read_back_carries_on(original: &dyn Catalog, empty: &dyn Catalog) {
    let (rows, _) = lived(original).await;
    let jobs = original.jobs(JobQuery::default()).await.expect("jobs can be listed");
    empty.adopt(&subject(), rows.clone(), jobs.clone()).await.expect("a sound chain is taken over");
    assert_eq!(consistent_rows(empty).await, rows, "the rows are the same to the byte");
    let adopted = empty.jobs(JobQuery::default()).await.expect("jobs can be listed");
    assert_eq!(adopted.len(), jobs.len());
    for (adopted, mut job) in adopted.into_iter().zip(jobs.clone()) {
        job.lease = None;
        assert_eq!(adopted, job, "a job is as it was, but nobody holds it");
    }
    let record = empty.chain(&subject()).await.expect("a catalogue answers").expect("a chain");
    assert_eq!(record.mirrored_through, rows.len() as u64, "what was read back is in the destination");

    // What ran when the catalogue was lost is taken up by the next worker.
    let (job, _) = claim(empty, job_id(2), "next", now(99)).await;
    assert_eq!((job.state, job.attempt), (JobState::Claimed, 2));
    walk(empty, &job, &[JobState::Running]).await;
    consistent_rows(empty).await;
    let refused = empty.adopt(&subject(), rows, jobs).await;
    assert_code(refused, Code::JobState, "a chain that is there is not replaced");
}

pub(super) async fn a_chain_that_contradicts_itself_is_refused(original: &dyn Catalog, empty: &dyn Catalog) {
    let (rows, lease) = lived(original).await;
    let jobs = original.jobs(JobQuery::default()).await.expect("jobs can be listed");
    let altered = |change: &dyn Fn(&mut Vec<Row>)| {
        let mut rows = rows.clone();
        change(&mut rows);
        rows
    };
    for (flaw, rows) in [
        ("no rows", Vec::new()),
        ("a row is missing in the middle", altered(&|rows| drop(rows.remove(3)))),
        ("the end is missing", altered(&|rows| drop(rows.pop()))),
        ("the beginning is missing", altered(&|rows| drop(rows.remove(0)))),
        ("two rows are swapped", altered(&|rows| rows.swap(2, 3))),
        ("a payload was changed", altered(&|rows| drop(rows[2].payload.insert("note", "forged")))),
        ("a kind was changed", altered(&|rows| rows[2].kind = EventKind::BackupCancelled)),
    ] {
        assert_code(empty.adopt(&subject(), rows, jobs.clone()).await, Code::ChainDamaged, flaw);
    }
    let other = Subject { database_id: Some("other".parse().expect("an id")), ..subject() };
    let refused = empty.adopt(&other, rows.clone(), jobs.clone()).await;
    assert_code(refused, Code::ChainDamaged, "another database's chain");
    let refused = empty.adopt(&subject(), rows.clone(), jobs[1..].to_vec()).await;
    assert_code(refused, Code::ChainDamaged, "a job is missing");
    let step = Step::new(job_id(2), JobState::Finalizing, now(50)).under(&lease);
    original.step(step).await.expect("the original goes on");
    let moved_on = original.jobs(JobQuery::default()).await.expect("jobs can be listed");
    let refused = empty.adopt(&subject(), rows.clone(), moved_on).await;
    assert_code(refused, Code::ChainDamaged, "a job stands elsewhere than the chain says");

    assert!(empty.chain(&subject()).await.expect("a catalogue answers").is_none(), "nothing was taken over");
    assert_eq!(empty.jobs(JobQuery::default()).await.expect("jobs can be listed"), []);
    empty.adopt(&subject(), rows, jobs).await.expect("the unaltered chain is taken over");
}

// A chain with one job sealed, one running and one waiting.
async fn lived(catalog: &dyn Catalog) -> (Vec<Row>, Lease) {
    for number in 1..=3 {
        queue(catalog, number).await;
    }
    let (job, _) = claim(catalog, job_id(1), "worker", now(4)).await;
    walk(catalog, &job, &[JobState::Running, JobState::Finalizing, JobState::Completed]).await;
    let (job, lease) = claim(catalog, job_id(2), "worker", now(5)).await;
    walk(catalog, &job, &[JobState::Running]).await;
    (consistent_rows(catalog).await, lease)
}
