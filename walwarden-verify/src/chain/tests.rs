use super::*;
use crate::json::{Object, Value};
use crate::{ChainId, EventKind, JobId, Row, Sha256, Timestamp};

fn started(database_id: Option<&str>) -> Replay {
    let mut chain = Replay::new();
    let payload = Object::from([
        ("chainId", Value::from(ChainId::from_parts(0, [1; 10]).to_string())),
        ("orgId", "acme".into()),
        ("databaseId", database_id.into()),
        ("formatVersion", 1_u64.into()),
        ("keyId", format!("sha256:{}", Sha256::of(b"a key")).into()),
    ]);
    let row = Row::link(chain.head(), at(0), None, EventKind::ChainGenesis, payload).unwrap();
    assert_eq!(chain.push(&row), []);
    chain
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis).unwrap()
}

fn reasons(violations: &[Violation]) -> Vec<Reason> {
    violations.iter().map(|violation| violation.reason).collect()
}

#[test]
fn a_writer_is_told_what_may_follow() {
    let mut chain = started(Some("shop"));
    let job = Some(JobId::from_parts(0, [2; 10]));
    assert!(chain.allows(job, EventKind::BackupQueued, &Object::new()).is_ok());
    let refused = chain.allows(job, EventKind::BackupClaimed, &Object::new()).unwrap_err();
    assert_eq!((refused.reason, refused.seq), (Reason::JobOrder, 2));
    let row = Row::link(chain.head(), at(1), job, EventKind::BackupQueued, Object::new()).unwrap();
    assert_eq!(chain.push_canonical(&row.to_canonical()), Ok(Vec::new()));
    assert!(chain.allows(job, EventKind::BackupClaimed, &Object::new()).is_ok());
    let member = chain.allows(None, EventKind::MemberInvited, &Object::new()).unwrap_err();
    assert_eq!(member.reason, Reason::ChainSubject);
    assert!(chain.allows(None, EventKind::ChainGenesis, &Object::new()).is_err());
}

#[test]
fn every_broken_rule_of_a_row_is_told() {
    let mut chain = started(None);
    let mut row = Row::link(chain.head(), at(-1), None, EventKind::ScheduleMissed, Object::new()).unwrap();
    row.seq = 7;
    row.prev_hash = Sha256::of(b"other");
    let found = reasons(&chain.push(&row));
    let expected =
        [Reason::ChainSeq, Reason::ChainLink, Reason::ChainHash, Reason::ChainTime, Reason::ChainSubject];
    assert_eq!(found, expected);
}

#[test]
fn the_anchor_rule_counts_from_the_first_queued_row() {
    let mut chain = started(Some("shop"));
    let job = Some(JobId::from_parts(0, [2; 10]));
    let failed = Object::from([
        ("class", Value::from("worker-lost")),
        ("retryable", true.into()),
        ("attempt", 1_u64.into()),
    ]);
    let completed = Object::from([
        ("manifestSha256", Value::from(Sha256::of(b"manifest"))),
        ("checksumSha256", Sha256::of(b"artifact").into()),
        ("sizeBytes", 8_u64.into()),
    ]);
    for (kind, payload) in [
        (EventKind::BackupQueued, Object::new()),
        (EventKind::BackupFailed, failed),
        (EventKind::BackupQueued, Object::new()),
        (EventKind::BackupClaimed, Object::new()),
        (EventKind::BackupRunning, Object::new()),
        (EventKind::BackupFinalizing, Object::new()),
        (EventKind::BackupCompleted, completed),
    ] {
        let row = Row::link(chain.head(), at(1), job, kind, payload).unwrap();
        assert_eq!(chain.push(&row), []);
    }
    let (found, backup) = chain.backup_of(&Sha256::of(b"manifest")).unwrap();
    assert_eq!((Some(found), backup.queued_seq, backup.seq), (job, 2, 8));
}
