//! A selection cut out of an archive, judged by `pg_restore` with options on the whole of it.

use walwarden_archive::{DataEntries, Selection, read_toc};
use walwarden_testkit::postgres::MAJORS;

use crate::source::{Dump, Into, dump, file_of, list, readers, sql};

const ODD: &str = "select \"from\" 'where' %s ; --";

fn selections() -> Vec<(Vec<String>, Selection)> {
    let all = Selection::everything;
    let args = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect();
    vec![
        (args(&["--table=orders"]), all().with_table(None, "orders")),
        (args(&["--table=sales_kept", "--table=cycling"]), {
            all().with_table(None, "sales_kept").with_table(None, "cycling")
        }),
        (args(&["--schema=shop"]), all().with_schema("shop")),
        (args(&["--schema=ext", "--schema=bulk"]), all().with_schema("ext").with_schema("bulk")),
        (args(&["--schema=shop", "--table=events_2025_ÄÖ"]), {
            all().with_schema("shop").with_table(Some("shop"), "events_2025_ÄÖ")
        }),
        (vec![format!("--table={ODD}")], all().with_table(Some("Ünïcode schéma"), ODD)),
        (args(&["--table=far_away", "--create"]), all().with_table(None, "far_away")),
        (args(&["--table=ORDERS"]), all().with_table(None, "ORDERS")),
    ]
}

#[test]
fn what_is_selected_is_what_pg_restore_selects() {
    for major in MAJORS {
        judge(&dump(major, &[], Into::File), |_| true);
    }
    // Earlier ones read the archive, but have no word for statistics.
    judge(&dump(18, &["--statistics"], Into::File), |reader| reader >= 18);
}

fn judge(archive: &Dump, judges: impl Fn(u32) -> bool) {
    let (header, toc) = read_toc(&archive.bytes()[..]).unwrap();
    for (options, selection) in selections() {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let create: Vec<&str> = options.iter().copied().filter(|option| *option == "--create").collect();
        let cut = file_of(&toc.select(&selection).without_data(DataEntries::Keep).to_bytes(&header));
        for reader in readers(&header).into_iter().filter(|reader| judges(*reader)) {
            let whole = list(reader, &archive.path, &options);
            assert_eq!(list(reader, &cut, &create), whole, "{archive:?} by {reader}, {options:?}");
            for section in ["--section=pre-data", "--section=post-data"] {
                let whole = sql(reader, &archive.path, &[&options[..], &[section]].concat());
                let cut = sql(reader, &cut, &[&create[..], &[section]].concat());
                assert!(cut == whole, "{archive:?} by {reader}, {options:?} {section}");
            }
        }
    }
}
