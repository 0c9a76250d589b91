use super::*;

#[test]
fn chunks_may_end_anywhere() {
    let content = |chunks: &[&[u8]]| {
        let mut counter = CopyCounter::default();
        chunks.iter().for_each(|chunk| counter.take(chunk));
        counter.finish()
    };
    let whole = content(&[b"1\ta\n2\tb\n\n"]);
    assert_eq!(whole.rows, 3);
    assert_eq!(content(&[b"1\t", b"a", b"\n2\tb\n", b"", b"\n"]), whole);
    assert_eq!(content(&[b"\n", b"2\tb\n", b"1\ta\n"]), whole);
    assert_ne!(content(&[b"\n1\tb\n2\ta\n"]), whole);
    assert_eq!(content(&[]), TableContent { rows: 0, digest: Sha256::from_bytes([0; 32]) });
}

#[test]
fn names_are_quoted() {
    let table = TableName { schema: "a\"b".into(), name: "c d".into() };
    assert_eq!(table.to_string(), "\"a\"\"b\".\"c d\"");
}
