use super::*;

#[test]
fn paths_have_one_spelling() {
    let job = "01a1fbda-e503-7909-8909-090909090909";
    for path in [
        "audit_events.json".to_owned(),
        "disclosure.json".to_owned(),
        "checkpoint.tsr".to_owned(),
        "checkpoint".to_owned(),
        "bundle.json".to_owned(),
        "README.txt".to_owned(),
        format!("backups/{job}/manifest.json"),
        format!("backups/{job}/index.json"),
        format!("backups/{job}/artifact.dump"),
        format!("drills/{job}/receipt.json"),
        format!("keys/{}.pem", "0a".repeat(32)),
    ] {
        assert_eq!(BundlePath::parse(&path).unwrap().to_string(), path);
        assert_eq!(BundlePath::parse(&path.to_uppercase()), None);
        assert_eq!(BundlePath::parse(&format!("./{path}")), None);
        assert_eq!(BundlePath::parse(&format!("{path}/")), None);
    }
}

#[test]
fn rows_are_found_however_the_text_is_cut() {
    let at = "2026-11-21T02:06:29.123Z".parse().unwrap();
    let kind = crate::EventKind::ScheduleMissed;
    let payload = crate::json::Object::from([("note", "é]}\"[{,")]);
    let first = crate::Row::link(crate::Head::START, at, None, kind, payload.clone()).unwrap();
    let second = crate::Row::link(first.head(), at, None, kind, payload).unwrap();
    let text = [&b"["[..], &first.to_canonical(), &b","[..], &second.to_canonical(), &b"]"[..]].concat();
    for piece in [1, 2, 7, 100, text.len()] {
        let mut rows = RowStream::new(400);
        let mut seen = Vec::new();
        let mut each = |rows: &[HashedRow<'_>]| {
            for HashedRow { row, expected_hash, leaf } in rows {
                assert_eq!((*expected_hash, *leaf), (row.hash, crate::merkle::leaf_hash(row.text)));
                seen.push(row.seq);
            }
        };
        for piece in text.chunks(piece) {
            rows.feed(piece, &mut each).unwrap();
        }
        rows.finish(&mut each).unwrap();
        assert_eq!(seen, [1, 2], "pieces of {piece}");
    }
    for flawed in [&text[1..], &text[..text.len() - 1], &[&text[..], b"\n"].concat(), b"[,]", b""] {
        let mut rows = RowStream::new(400);
        let fed = rows.feed(flawed, &mut |_| {});
        assert!(fed.and_then(|()| rows.finish(&mut |_| {})).is_err());
    }
}

#[test]
fn rows_longer_than_what_is_read_ahead_are_waited_for() {
    let at = "2026-11-21T02:06:29.123Z".parse().unwrap();
    let kind = crate::EventKind::ScheduleMissed;
    let mut head = crate::Head::START;
    let mut rows = Vec::new();
    for length in [1, 20_000, 2, 200_000, 200_000, 3, 40_000] {
        let payload = crate::json::Object::from([("note", "é".repeat(length / 2).as_str())]);
        let row = crate::Row::link(head, at, None, kind, payload).unwrap();
        head = row.head();
        rows.push(String::from_utf8(row.to_canonical().to_vec()).unwrap());
    }
    let text = format!("[{}]", rows.join(","));
    let read = |text: &str, piece: usize, max_row: usize| {
        let (mut rows, mut seen) = (RowStream::new(max_row), Vec::new());
        let mut each = |some: &[HashedRow<'_>]| seen.extend(some.iter().map(|row| row.row.seq));
        let fed = text.as_bytes().chunks(piece).try_for_each(|piece| rows.feed(piece, &mut each));
        let read = fed.and_then(|()| rows.finish(&mut each));
        (seen, read.is_ok())
    };
    let longest = rows.iter().map(String::len).max().unwrap();
    for piece in [1_000, 16_384, 70_001, text.len()] {
        assert_eq!(read(&text, piece, 300_000), ((1..=7).collect(), true), "pieces of {piece}");
        assert_eq!(read(&text, piece, longest), ((1..=7).collect(), true), "pieces of {piece}");
        assert_eq!(read(&text, piece, longest - 1), (vec![1, 2, 3], false), "pieces of {piece}");
        let cut = &text[..text.len() - 1_000];
        assert_eq!(read(cut, piece, 300_000), ((1..=6).collect(), false), "pieces of {piece}");
        let broken = text.replacen("\"kind\"", "\"kynd\"", 5).replacen("\"kynd\"", "\"kind\"", 4);
        assert_eq!(read(&broken, piece, 300_000), ((1..=4).collect(), false), "pieces of {piece}");
    }
}
