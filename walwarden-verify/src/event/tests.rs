use super::*;
use crate::json::{Object, Value};
use crate::{JobId, Sha256};

fn row() -> Row {
    let at = "2026-11-21T02:06:29.123Z".parse().unwrap();
    let payload = Object::from([
        ("class", Value::from("a \"b\"\n")),
        ("retryable", true.into()),
        ("attempt", 1_u64.into()),
    ]);
    let job = JobId::from_parts(1_795_226_789_123, [9; 10]);
    Row::link(Head::START, at, Some(job), EventKind::BackupFailed, payload).unwrap()
}

#[test]
fn a_row_survives_its_canonical_form() {
    let row = row();
    let text = row.to_canonical();
    assert_eq!(Row::parse(&text), Ok(row.clone()));
    assert_eq!(RowText::parse(&text).unwrap().expected_hash(), row.hash);
}

#[test]
fn the_hash_is_over_previous_hash_and_event() {
    let row = row();
    let event = br#"{"at":"2026-11-21T02:06:29.123Z","jobId":"01a1fbda-e503-7909-8909-090909090909","kind":"backup.failed","payload":{"attempt":1,"class":"a \"b\"\n","retryable":true}}"#;
    let message = ["0".repeat(64).as_bytes(), event.as_slice()].concat();
    assert_eq!(row.hash, Sha256::of(&message), "{}", String::from_utf8_lossy(&row.to_canonical()));
}

#[test]
fn every_kind_is_read_as_it_is_written() {
    for kind in EventKind::ALL {
        assert_eq!(kind.text().parse(), Ok(*kind));
    }
    assert_eq!(EventKind::ALL.len(), 41);
}

#[test]
fn a_row_in_any_other_spelling_is_refused() {
    let text = String::from_utf8(row().to_canonical()).unwrap();
    for (from, to) in [
        ("{\"at\"", "{ \"at\""),
        ("\"seq\":1", "\"seq\":1.0"),
        ("\"seq\":1", "\"seq\":-1"),
        ("\"seq\":1", "\"seq\":1,\"zone\":1"),
        ("backup.failed", "backup.verified"),
        ("\"retryable\":true", "\"retryable\":\"true\""),
        ("\"attempt\":1", "\"attempt\":0"),
        ("\"retryable\":true", "\"retryable\":true,\"retryable\":true"),
        ("01a1fbda-e503-7909-8909-090909090909", "01A1FBDA-E503-7909-8909-090909090909"),
        ("\"hash\"", "\"\\u0068ash\""),
    ] {
        assert!(text.contains(from), "{from} not in {text}");
        let changed = text.replacen(from, to, 1);
        assert!(Row::parse(changed.as_bytes()).is_err(), "{changed}");
    }
}
