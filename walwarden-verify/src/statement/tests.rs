use super::*;

fn listing(files: usize) -> Vec<u8> {
    let statement = Statement {
        org_id: "acme".parse().unwrap(),
        database_id: None,
        chain_id: "01a1fbd4-f500-7bb4-8334-3b1d44ec4b55".parse().unwrap(),
        first_seq: 1,
        last_seq: 1,
        backups: 0,
        rows_shown: None,
        created_at: "2026-11-21T02:00:06.000Z".parse().unwrap(),
        files: (0..files).map(|at| (format!("{at:06}"), Sha256::of(b""))).collect(),
    };
    let key_id = KeyId::from_digest(Sha256::of(b"key"));
    let envelope = statement.seal(key_id, &Signature::from_bytes([0; 64]));
    if let Ok(envelope) = Envelope::parse(&envelope) {
        assert_eq!((envelope.statement(), &envelope.message), (&statement, &statement.message()));
    }
    envelope
}

#[test]
fn what_is_signed_is_the_payload_behind_its_head() {
    // One, two and three bytes at the end of the base64.
    for files in 0..6 {
        assert!(Envelope::parse(&listing(files)).is_ok());
    }
}

#[test]
fn no_more_files_are_listed_than_a_bundle_may_hold() {
    assert!(Envelope::parse(&listing(MOST_FILES)).is_ok());
    assert!(Envelope::parse(&listing(MOST_FILES + 1)).unwrap_err().is_over_limit());
}

#[test]
fn padding_alone_is_no_payload() {
    for payload in ["=", "==", "====", "=A==", "AAAA=", "A"] {
        let text = format!(r#"{{"payload":"{payload}","payloadType":"{PAYLOAD_TYPE}","signatures":[]}}"#);
        assert!(Envelope::parse(text.as_bytes()).is_err(), "{payload}");
    }
}
