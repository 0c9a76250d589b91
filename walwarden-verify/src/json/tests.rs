use super::*;

#[test]
fn what_two_readers_could_understand_differently_is_refused() {
    for text in [
        &b"{\"a\":1,\"a\":1}"[..],
        b"{\"a\":1,\"\\u0061\":2}",
        b"[{\"b\":{\"a\":1,\"a\":2}}]",
        b"\xef\xbb\xbf{}",
        b"\"\\ud800\"",
        b"\"\\udc00\\ud800\"",
        b"\"\xff\"",
        b"1e400",
        b"-1e400",
        b"",
        b"{} {}",
    ] {
        assert!(parse(text).is_err(), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn escapes_are_undone() {
    let value = parse(br#" "\u00e9\ud83d\ude00\/\n" "#).unwrap();
    assert_eq!(value.as_str(), Some("é😀/\n"));
}

#[test]
fn depth_and_size_are_limited() {
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat().into_bytes();
    assert!(parse(&nested(64)).is_ok());
    assert!(parse(&nested(65)).unwrap_err().is_over_limit());
    assert!(parse(&nested(1_000_000)).unwrap_err().is_over_limit());
    let small = Limits::default().with_size_bytes(2);
    assert!(parse_within(b"[]", small).is_ok());
    assert!(parse_within(b"[ ]", small).unwrap_err().is_over_limit());
}

#[test]
fn members_are_kept_in_the_order_of_utf16() {
    let object = Object::from_iter([("\u{fb33}", 1_u64), ("😀", 2), ("a", 3)]);
    assert_eq!(object.keys().collect::<Vec<_>>(), ["a", "😀", "\u{fb33}"]);
    assert_eq!(object.get("😀").and_then(Value::as_u64), Some(2));
}
