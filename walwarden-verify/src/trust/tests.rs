use super::*;

const ALPHA: &str = include_str!("../../../spec/vectors/keys/alpha.pub.pem");

fn refusal(trust: &Trust) -> String {
    Verifier::try_from(trust).expect_err("it was taken").to_string()
}

#[test]
fn the_text_that_is_wrong_is_named() {
    let sound = || Trust { public_keys: vec![ALPHA.to_owned()], ..Trust::default() };
    Verifier::try_from(&sound()).unwrap();
    for (trust, begins) in [
        (Trust { public_keys: vec![ALPHA.to_owned(), "x".to_owned()], ..sound() }, "public key 2: "),
        (Trust { public_keys: vec![String::new()], ..sound() }, "public key: "),
        (Trust { fingerprints: vec!["sha256:0".to_owned()], ..sound() }, "fingerprint: "),
        (Trust { witnesses: vec!["witness.example/one".to_owned()], ..sound() }, "witness: "),
        (Trust { witness_policy: Some(b"quorum x\n".to_vec()), ..sound() }, "witness policy: "),
        (Trust { policy: Some(b"{}".to_vec()), ..sound() }, "policy: "),
        (Trust { as_of: Some("noon".to_owned()), ..sound() }, "as of: "),
        (
            Trust { as_of: Some("2026-11-21T02:06:29.123Z".to_owned()), ..sound() },
            "as of: there is no policy",
        ),
        (Trust { authorities: vec!["x".to_owned()], ..sound() }, "authority: "),
        (Trust { level: Some(5), ..sound() }, "level: "),
    ] {
        let refusal = refusal(&trust);
        assert!(refusal.starts_with(begins), "{refusal}");
    }
}

#[test]
fn witnesses_and_their_policy_are_not_mixed() {
    let witnesses = include_str!("../../../spec/vectors/keys/witnesses.vkeys");
    let witnesses: Vec<String> = witnesses.split_whitespace().map(str::to_owned).collect();
    let policy = include_bytes!("../../../spec/vectors/policies/nested.policy").to_vec();
    Verifier::try_from(&Trust { witnesses: witnesses.clone(), ..Trust::default() }).unwrap();
    Verifier::try_from(&Trust { witness_policy: Some(policy.clone()), ..Trust::default() }).unwrap();
    let both = Trust { witnesses, witness_policy: Some(policy), ..Trust::default() };
    assert_eq!(refusal(&both), "witness: give witnesses or a witness policy, not both");
}
