use super::*;

fn content(chunks: &[&[u8]]) -> TableContent {
    let mut lines = Lines::default();
    chunks.iter().for_each(|chunk| lines.take(chunk));
    lines.content
}

#[test]
fn chunks_may_end_anywhere() {
    let whole = content(&[b"1\ta\n2\tb\n\n"]);
    assert_eq!(whole.rows, 3);
    assert_eq!(content(&[b"1\t", b"a", b"\n2\tb\n", b"", b"\n"]), whole);
    assert_eq!(content(&[b"\n", b"2\tb\n", b"1\ta\n"]), whole);
    assert_ne!(content(&[b"\n1\tb\n2\ta\n"]), whole);
}

#[test]
fn digest_is_the_sum_of_hashes_modulo_two_to_the_256() {
    // SHA-256("a") + SHA-256("b"), by another program.
    let mut digest = RowsDigest::default();
    digest.add_line(b"a");
    digest.add_line(b"b");
    assert_eq!(digest.to_string(), "08bb6928ca5517152e4b8118ff058d82334469f89d507abd84f46634858a4958");

    let mut digest = RowsDigest { bytes: [0xff; 32] };
    let mut one = [0; 32];
    one[31] = 1;
    digest.add(one);
    assert_eq!(digest, RowsDigest::default());
}

#[test]
fn names_are_quoted() {
    let table = TableName { schema: "a\"b".into(), name: "c d".into() };
    assert_eq!(table.to_string(), "\"a\"\"b\".\"c d\"");
}
