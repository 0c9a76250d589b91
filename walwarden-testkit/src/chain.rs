//! The suite for [`AuditChain`].

use std::sync::Arc;

use walwarden_core::chain::{AuditChain, Fact, Genesis, Head, Row, Subject};
use walwarden_core::verify::chain::Replay;
use walwarden_core::verify::json::{Object, Value};
use walwarden_core::verify::{ChainId, EventKind, JobId, KeyId, Sha256, Timestamp};
use walwarden_core::{Code, Result};

use crate::clock::after;

/// Checks an implementation of [`AuditChain`] against its contract. `make` starts a chain where there was none.
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use walwarden_core::chain::{AuditChain, MemoryChain};
///
/// walwarden_testkit::chain::suite(async |genesis| {
///     Arc::new(MemoryChain::start(&genesis).unwrap()) as Arc<dyn AuditChain>
/// })
/// .await;
/// # });
/// ```
///
/// # Panics
///
/// When the implementation breaks the contract; the message says which part.
pub async fn suite(make: impl AsyncFn(Genesis) -> Arc<dyn AuditChain>) {
    let make = async || make(genesis()).await;
    begins_with_its_genesis_row(&*make().await).await;
    links_rows_that_a_verifier_accepts(&*make().await).await;
    time_never_runs_backwards(&*make().await).await;
    forbidden_facts_are_refused_and_leave_nothing(&*make().await).await;
    rows_are_read_from_any_place(&*make().await).await;
    the_rows_about_keys_are_found(&*make().await).await;
    each_seq_has_one_writer(make().await).await;
    of_racing_claims_one_wins(make().await).await;
    ends_with_its_key(&*make().await).await;
}

async fn the_rows_about_keys_are_found(chain: &dyn AuditChain) {
    let key_id = KeyId::from_digest(Sha256::of(b"another key")).to_string();
    let about_key = Object::from([("keyId", Value::from(key_id))]);
    // A payload that looks like such a row is none.
    let decoy = Object::from([("note", Value::Object(Object::from([("kind", "key.added")])))]);
    for (kind, payload) in [(EventKind::ScheduleMissed, decoy), (EventKind::KeyAdded, about_key)] {
        let fact = Fact { at: start(), job_id: None, kind, payload };
        chain.append(fact).await.expect("a row can be appended");
    }
    let found: Vec<u64> =
        chain.key_rows().await.expect("rows can be read").iter().map(|row| row.seq).collect();
    assert_eq!(found, [1, 3], "the genesis row and rows about keys, in order");
}

/// A chain's beginning for tests: of database `shop` of `acme`, whose key nobody has.
pub fn genesis() -> Genesis {
    Genesis {
        subject: subject(),
        chain_id: ChainId::from_parts(1_795_226_789_123, [3; 10]),
        key_id: KeyId::from_digest(Sha256::of(b"no key at all")),
        at: start(),
    }
}

/// Database `shop` of organisation `acme`.
pub fn subject() -> Subject {
    Subject { org_id: "acme".parse().expect("an id"), database_id: Some("shop".parse().expect("an id")) }
}

/// When the suites' stories begin.
pub fn start() -> Timestamp {
    "2026-11-21T02:06:29.123Z".parse().expect("a time")
}

/// A job's id, told apart by a number.
pub fn job_id(number: u8) -> JobId {
    JobId::from_parts(start().unix_millis() + i64::from(number), [number; 10])
}

/// All rows of a chain, which a verifier finds without fault.
///
/// # Panics
///
/// When it finds one.
pub async fn verified_rows(chain: &dyn AuditChain) -> Vec<Row> {
    let rows = chain.rows(1, usize::MAX).await.expect("a chain can be read");
    let mut replay = Replay::new();
    for row in &rows {
        assert_eq!(replay.push(row), [], "a verifier finds no fault with row {}", row.seq);
        assert_eq!(Row::parse(&row.to_canonical()).as_ref(), Ok(row), "a row survives its canonical form");
    }
    assert_eq!(chain.head().await.expect("a chain has a head"), replay.head(), "the head is the last row");
    rows
}

/// Asserts that a call was refused with this code.
///
/// # Panics
///
/// When it was not.
#[track_caller]
pub fn assert_code<T: std::fmt::Debug>(result: Result<T>, code: Code, rule: &str) {
    match result {
        Err(error) => assert_eq!(error.code(), code, "{rule}: {error:?}"),
        Ok(value) => panic!("{rule}, but it was done: {value:?}"),
    }
}

fn fact(millis: i64, job: u8, kind: EventKind) -> Fact {
    Fact { at: after(start(), millis), job_id: Some(job_id(job)), kind, payload: Object::new() }
}

fn note(millis: i64, kind: EventKind, payload: Object) -> Fact {
    Fact { at: after(start(), millis), job_id: None, kind, payload }
}

async fn append(chain: &dyn AuditChain, fact: Fact) -> Row {
    chain.append(fact).await.expect("an allowed fact is recorded")
}

async fn begins_with_its_genesis_row(chain: &dyn AuditChain) {
    let rows = verified_rows(chain).await;
    let [first] = rows.as_slice() else { panic!("a new chain has one row, found {rows:?}") };
    let genesis = genesis();
    assert_eq!((first.seq, first.kind, first.at), (1, EventKind::ChainGenesis, genesis.at));
    assert_eq!(chain.chain_id(), genesis.chain_id, "the chain's id is that of its genesis row");
    let named = |name| first.payload.get(name).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(named("chainId"), Some(genesis.chain_id.to_string()));
    assert_eq!(named("orgId").as_deref(), Some("acme"));
    assert_eq!(named("databaseId").as_deref(), Some("shop"));
    assert_eq!(named("keyId"), Some(genesis.key_id.to_string()));
}

async fn links_rows_that_a_verifier_accepts(chain: &dyn AuditChain) {
    use EventKind::{BackupClaimed, BackupFailed, BackupQueued, DrillQueued, ScheduleMissed};
    let mut returned = Vec::new();
    returned.push(append(chain, fact(1, 1, BackupQueued)).await);
    returned.push(append(chain, fact(2, 2, BackupQueued)).await);
    returned.push(append(chain, fact(3, 1, BackupClaimed)).await);
    returned.push(append(chain, fact(4, 3, DrillQueued)).await);
    returned.push(append(chain, note(5, ScheduleMissed, Object::from([("due", "noon – \"12:00\"")]))).await);
    let failed = Object::from([
        ("class", Value::from("dump-failed")),
        ("retryable", true.into()),
        ("attempt", 1_u64.into()),
    ]);
    returned.push(append(chain, Fact { payload: failed, ..fact(6, 1, BackupFailed) }).await);
    returned.push(append(chain, fact(7, 1, BackupQueued)).await);
    assert_eq!(verified_rows(chain).await[1..], returned, "what append returned is what is stored");
}

async fn time_never_runs_backwards(chain: &dyn AuditChain) {
    let late = append(chain, fact(5_000, 1, EventKind::BackupQueued)).await;
    let early = append(chain, fact(-86_400_000, 1, EventKind::BackupClaimed)).await;
    assert_eq!(early.at, late.at, "an earlier fact is recorded with the last row's time");
    let on_time = append(chain, fact(5_001, 1, EventKind::BackupRunning)).await;
    assert_eq!(on_time.at, after(start(), 5_001), "a later fact is recorded with its own time");
    verified_rows(chain).await;
}

async fn forbidden_facts_are_refused_and_leave_nothing(chain: &dyn AuditChain) {
    let queued = append(chain, fact(1, 1, EventKind::BackupQueued)).await;
    for (forbidden, code) in [
        (fact(2, 1, EventKind::BackupQueued), Code::JobState),
        (fact(2, 1, EventKind::BackupRunning), Code::JobState),
        (fact(2, 1, EventKind::RestoreTriggered), Code::JobState),
        (fact(2, 2, EventKind::BackupClaimed), Code::JobState),
        (fact(2, 2, EventKind::RestoreCompleted), Code::JobState),
        (fact(2, 1, EventKind::BackupFailed), Code::Internal), // without its class
        (Fact { job_id: None, ..fact(2, 1, EventKind::BackupClaimed) }, Code::Internal),
        (
            Fact { payload: Object::from([("ü", 1_u64)]), ..fact(2, 1, EventKind::BackupClaimed) },
            Code::Internal,
        ),
        (note(2, EventKind::ChainGenesis, Object::new()), Code::Internal),
        (note(2, EventKind::MemberInvited, Object::new()), Code::Internal),
    ] {
        let rule = format!("{} of {:?} must not be recorded", forbidden.kind, forbidden.job_id);
        assert_code(chain.append(forbidden).await, code, &rule);
        assert_eq!(chain.head().await.expect("a head"), queued.head(), "a refused fact leaves nothing");
    }
    append(chain, fact(2, 1, EventKind::BackupClaimed)).await;
    verified_rows(chain).await;
}

async fn rows_are_read_from_any_place(chain: &dyn AuditChain) {
    for number in 1..=9 {
        append(chain, fact(i64::from(number), number, EventKind::BackupQueued)).await;
    }
    let all = verified_rows(chain).await;
    assert_eq!(all.len(), 10);
    for (first, limit, expected) in [
        (1, 3, &all[..3]),
        (8, 100, &all[7..]),
        (10, 1, &all[9..]),
        (11, 5, &[]),
        (u64::MAX, 5, &[]),
        (3, 0, &[]),
    ] {
        let rows = chain.rows(first, limit).await.expect("a chain can be read");
        assert_eq!(rows, expected, "{limit} rows from {first} on");
    }
}

async fn each_seq_has_one_writer(chain: Arc<dyn AuditChain>) {
    let writers: Vec<_> = (0..8_u8)
        .map(|writer| {
            let chain = Arc::clone(&chain);
            tokio::spawn(async move {
                for turn in 0..5 {
                    append(&*chain, fact(i64::from(turn), writer * 5 + turn, EventKind::DrillQueued)).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer ends");
    }
    let rows = verified_rows(&*chain).await;
    assert_eq!(rows.len(), 41, "every writer's rows are there");
}

async fn of_racing_claims_one_wins(chain: Arc<dyn AuditChain>) {
    append(&*chain, fact(1, 1, EventKind::BackupQueued)).await;
    let claims: Vec<_> = (0..8)
        .map(|_| {
            let chain = Arc::clone(&chain);
            tokio::spawn(async move { chain.append(fact(2, 1, EventKind::BackupClaimed)).await })
        })
        .collect();
    let mut won = 0;
    for claim in claims {
        match claim.await.expect("a claim ends") {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error.code(), Code::JobState, "the losers are told so: {error:?}"),
        }
    }
    assert_eq!(won, 1, "one of racing claims wins");
    assert_eq!(chain.head().await.expect("a head").seq, 3);
}

async fn ends_with_its_key(chain: &dyn AuditChain) {
    let revoked = Object::from([("keyId", genesis().key_id.to_string()), ("reason", "lost".to_owned())]);
    let last: Head = append(chain, note(1, EventKind::KeyRevoked, revoked)).await.head();
    let refused = chain.append(fact(2, 1, EventKind::BackupQueued)).await;
    assert_code(refused, Code::ChainEnded, "nothing follows the revocation of the chain's key");
    assert_eq!(chain.head().await.expect("a head"), last);
}
