//! How fast a chain is checked: strict parsing, canonical form, state machines, hash and Merkle leaf of each row.
//!
//! `cargo run --release -p walwarden-verify --example chain_speed -- 1000000`
#![allow(clippy::print_stdout, reason = "the numbers are what this is for")]

use std::time::{Duration, Instant};

use walwarden_verify::chain::Replay;
use walwarden_verify::json::{Object, Value};
use walwarden_verify::merkle::Tree;
use walwarden_verify::{ChainId, EventKind, Head, JobId, Row, Sha256, Timestamp};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let events: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let (mut replay, mut tree) = (Replay::new(), Tree::new());
    let (mut head, mut spent, mut bytes) = (Head::START, Duration::ZERO, 0);
    while head.seq < events {
        let mut rows = Vec::new();
        while rows.len() < 10_000 && head.seq < events {
            let row = next_row(head);
            head = row.head();
            rows.push(row.to_canonical());
        }
        bytes += rows.iter().map(Vec::len).sum::<usize>();
        let start = Instant::now();
        for row in &rows {
            let violations = replay.push_canonical(row)?;
            assert!(violations.is_empty(), "{violations:?}");
            tree.push(row);
        }
        spent += start.elapsed();
    }
    assert_eq!(replay.head(), head);
    let seconds = spent.as_secs_f64();
    println!("{events} events of {} bytes: {:.0} events/s", bytes as u64 / events, events as f64 / seconds);
    println!("root {}", tree.root());
    Ok(())
}

// One backup after the other, of five rows each.
fn next_row(head: Head) -> Row {
    let at = Timestamp::from_unix_millis(1_795_226_789_123 + head.seq as i64).expect("years before 9999");
    let number = head.seq.saturating_sub(1) / 5;
    let job_id = JobId::from_parts(1_795_226_789_123 + number as i64, [7; 10]);
    let (job_id, kind, payload) = match (head.seq, head.seq.saturating_sub(1) % 5) {
        (0, _) => (None, EventKind::ChainGenesis, genesis()),
        (_, 0) => (Some(job_id), EventKind::BackupQueued, Object::new()),
        (_, 1) => (Some(job_id), EventKind::BackupClaimed, Object::new()),
        (_, 2) => (Some(job_id), EventKind::BackupRunning, Object::new()),
        (_, 3) => (Some(job_id), EventKind::BackupFinalizing, Object::new()),
        _ => (Some(job_id), EventKind::BackupCompleted, completed(number)),
    };
    Row::link(head, at, job_id, kind, payload).expect("rows of this example are in form")
}

fn genesis() -> Object {
    Object::from([
        ("chainId", Value::from(ChainId::from_parts(0, [1; 10]).to_string())),
        ("orgId", "acme".into()),
        ("databaseId", "shop".into()),
        ("formatVersion", 1_u64.into()),
        ("keyId", format!("sha256:{}", Sha256::of(b"a key")).into()),
    ])
}

fn completed(number: u64) -> Object {
    Object::from([
        ("manifestSha256", Value::from(Sha256::of(&number.to_be_bytes()))),
        ("checksumSha256", Sha256::of(b"artifact").into()),
        ("sizeBytes", number.into()),
    ])
}
