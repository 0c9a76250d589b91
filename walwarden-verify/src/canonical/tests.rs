use super::scan::plain_length;
use super::*;

#[test]
fn only_the_writing_profile_is_read() {
    for text in [
        "{\"a\": 1}",
        "{\"b\":1,\"a\":1}",
        "{\"a\":1,\"a\":1}",
        "{\"é\":1}",
        "[1.5]",
        "[1e2]",
        "[-0]",
        "[01]",
        "[9007199254740992]",
        "[-9007199254740992]",
        "[\"\\u0041\"]",
        "[\"\\/\"]",
        "[\"\\u000a\"]",
        "[\"\\u001F\"]",
        "[\"\u{7f}\"]",
        "[\"\n\"]",
        "[1,]",
        "[1]\n",
        "nul",
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
    for text in ["{}", "[]", "[9007199254740991,-9007199254740991,0]", "[\"\\u001f\\n\\\"é😀\"]", "null"] {
        assert_eq!(to_vec(&parse(text.as_bytes()).unwrap()), text.as_bytes());
    }
}

#[test]
fn a_member_is_cut_from_the_bytes_as_they_are() {
    let cut = |text: &str| String::from_utf8(without_member(text.as_bytes(), "b").unwrap()).unwrap();
    assert_eq!(cut(r#"{"a":1,"b":{"x":[]},"c":"é"}"#), r#"{"a":1,"c":"é"}"#);
    assert_eq!(cut(r#"{"b":1}"#), "{}");
    assert_eq!(cut(r#"{"a":1,"b":1}"#), r#"{"a":1}"#);
    assert_eq!(cut(r#"{"b":1,"c":{"b":2}}"#), r#"{"c":{"b":2}}"#);
}

#[test]
fn what_leaves_the_profile_is_told_before_it_is_written() {
    let deep = (0..65).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    for value in [Value::from(1_u64 << 53), Value::from("\u{7f}"), Object::from([("é", 1_u64)]).into(), deep]
    {
        assert!(check_profile(&value).is_err());
        assert!(parse(&to_vec(&value)).is_err());
    }
}

#[test]
fn plain_text_ends_where_the_first_special_byte_stands() {
    for special in 0..=255_u8 {
        let ends = matches!(special, b'"' | b'\\' | 0..0x20 | 0x7f);
        for at in 0..20 {
            let mut text = "aé\u{ff}z~ !\u{80}#[]".repeat(2).into_bytes();
            text[at] = special;
            text[at + 1] = b'"';
            assert_eq!(plain_length(&text), if ends { at } else { at + 1 }, "{special} at {at}");
        }
    }
    assert_eq!(plain_length(b"0123456789"), 10);
}

#[test]
fn a_value_is_too_long_only_where_it_is() {
    let within =
        |text: &str, limit| Scanner::of(text).text_within(limit).map(|(text, depth)| (text.len(), depth));
    let too_long = |text: &str, limit| within(text, limit).unwrap_err().is_over_limit();
    for (text, depth) in [("\"aé😀\\n\"", 0), ("123", 0), ("null", 0), ("[[],{\"a\":[1]}]", 3)] {
        for rest in ["", ",", "]"] {
            assert_eq!(within(&format!("{text}{rest}"), text.len()), Ok((text.len(), depth)), "{text}{rest}");
        }
        assert!(too_long(text, text.len() - 1), "{text}");
    }
    // What is wrong within the limit is no matter of length, and what is wrong behind it is none of form.
    for text in ["\"\\q\"", "[01]", "[1,}", "1111111111111111111", "\"\u{7f}\"", "[nul]", "{\"b\":1,\"a\":1}"]
    {
        assert!(!too_long(text, text.len()), "{text}");
        assert!(!too_long(&format!("{text},"), text.len()), "{text}");
    }
    assert!(too_long("\"aaaa\\q\"", 4));
}
