//! The table of `spec/evidence.md` section 5 says what the code does.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use walwarden_verify::Reason;

#[test]
fn every_reason_has_its_one_row_in_order() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/evidence.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("\n## 5 Reason codes\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let written: Vec<[&str; 3]> =
        rows.skip(2).map(|row| row.split(" | ").collect::<Vec<_>>().try_into().unwrap()).collect();

    let known: Vec<[String; 3]> = Reason::ALL
        .iter()
        .map(|reason| {
            let exit = reason.exit().status().to_string();
            [format!("`{reason}`"), exit, reason.meaning().trim().to_owned()]
        })
        .collect();
    // One by one first: the message of a single row can be read.
    for (written, known) in written.iter().zip(&known) {
        assert_eq!(written, known, "the page, then the code");
    }
    assert_eq!(written.len(), known.len(), "rows on the page, then reasons");
}
