use super::*;

#[test]
fn low_order_and_oddly_encoded_keys_are_refused() {
    assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(KeyError::Weak));
    let mut identity = [0; 32];
    identity[0] = 1;
    assert_eq!(PublicKey::from_bytes(&identity), Err(KeyError::Weak));
    // y = p, which is 0 in another encoding.
    let mut non_canonical = [0xff; 32];
    non_canonical[0] = 0xed;
    non_canonical[31] = 0x7f;
    assert_eq!(PublicKey::from_bytes(&non_canonical), Err(KeyError::NotAKey));
}

#[test]
fn pem_is_read_lax_and_only_public_keys_count() {
    let base64 = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let (begin, end) = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----");
    let one = format!("our key\r\n{begin}\r\n{}\r\n {}\r\n{end}", &base64[..20], &base64[20..]);
    assert!(PublicKey::from_pem(&one).is_ok());
    let two = format!("{one}\n{begin}\n{base64}\n{end}\n");
    assert_eq!(PublicKey::several_from_pem(&two).unwrap().len(), 2);
    assert_eq!(PublicKey::from_pem(&two), Err(KeyError::Count));
    assert_eq!(PublicKey::from_pem(""), Err(KeyError::Count));
    assert_eq!(PublicKey::from_pem(&format!("{begin}\n{base64}")), Err(KeyError::NotAKey));
}

#[test]
fn a_signature_has_one_spelling() {
    let text = format!("ed25519:{}==", "A".repeat(86));
    for other in [
        text.replace("ed25519", "Ed25519"),
        text.trim_end_matches('=').to_owned(),
        text.replacen("A==", "B==", 1),
        format!("{text}\n"),
        format!("ed25519:{}", "A".repeat(84)),
    ] {
        assert_eq!(other.parse::<Signature>(), Err(SignatureTextError), "{other}");
    }
}
