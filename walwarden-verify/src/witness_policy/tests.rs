use ed25519_dalek::SigningKey;

use super::*;

fn witness(seed: u8) -> Vkey {
    let key = SigningKey::from_bytes(&[seed; 32]);
    Vkey::new(format!("w{seed}"), PublicKey::from_bytes(key.verifying_key().as_bytes()).unwrap())
}

fn policy(text: &str) -> Result<WitnessPolicy, WitnessPolicyError> {
    let witnesses: String = (1..=5).map(|seed| format!("witness W{seed} {}\n", witness(seed))).collect();
    WitnessPolicy::parse(format!("{witnesses}{text}\n").as_bytes())
}

fn met(policy: &WitnessPolicy, seeds: &[u8]) -> bool {
    let cosigners: Vec<PublicKey> = seeds.iter().map(|seed| *witness(*seed).key()).collect();
    policy.is_met_by(&cosigners)
}

#[test]
fn groups_of_groups_are_counted() {
    let policy =
        policy("group X 2 W1 W2 W3\n\tgroup Y any W4  W5 \ngroup Z all X Y\n\n # both\nquorum Z").unwrap();
    assert!(met(&policy, &[1, 3, 5]));
    assert!(!met(&policy, &[1, 4, 5]));
    assert!(!met(&policy, &[1, 2, 3]));
    assert!(!met(&policy, &[1, 1, 4]));
    assert_eq!(policy.witnesses().count(), 5);
}

#[test]
fn a_single_witness_or_none_may_be_the_quorum() {
    assert!(met(&policy("quorum W2").unwrap(), &[2]));
    assert!(!met(&policy("quorum W2").unwrap(), &[1]));
    let none = policy("quorum none").unwrap();
    assert!(met(&none, &[]) && !none.asks_for_witnesses());
}

#[test]
fn other_files_are_refused() {
    let again = format!("witness again {}\nquorum W1", witness(1));
    for text in [
        "",
        "quorum",
        "quorum W9",
        "quorum W1\nquorum W1",
        "group none any W1\nquorum W1",
        "group W1 any W2\nquorum W1",
        "group X any none\nquorum X",
        "group X any\nquorum X",
        "group X 0 W1\nquorum X",
        "group X 2 W1\nquorum X",
        "group X 01 W1\nquorum X",
        "group X +1 W1\nquorum X",
        "group X any W1 W1\nquorum X",
        "group X any W1\ngroup Y all X W1\nquorum Y",
        "group X any Y\ngroup Y any W1\nquorum X",
        "group X any W1\r\nquorum X",
        "witness W6 nobody\nquorum W1",
        "log nobody\nquorum W1",
        "Quorum W1",
        &again,
    ] {
        assert!(policy(text).is_err(), "{text}");
    }
    assert!(WitnessPolicy::parse(b"quorum none").is_ok(), "without a newline at the end");
    assert_eq!(policy("quorum W9").unwrap_err().to_string(), "line 6: this name is not defined above");
}

#[test]
fn a_log_is_named_by_its_origin_and_key() {
    let key = SigningKey::from_bytes(&[9; 32]);
    let key = PublicKey::from_bytes(key.verifying_key().as_bytes()).unwrap();
    let log = LogKey::new("walwarden/acme/chain", key);
    let text = format!("log {log} https://log.example/\nquorum none");
    assert_eq!(policy(&text).unwrap().logs(), std::slice::from_ref(&log));
    assert!(policy(&format!("log {log}\n{text}")).is_err(), "twice");
    assert!(policy(&format!("log {}\nquorum none", witness(1))).is_err(), "a witness's key is no log's");
}
