use crate::{Entry, Selection, Toc, read_toc};

fn toc() -> Toc {
    read_toc(&include_bytes!("../../tests/data/none-18.dump")[..]).unwrap().1
}

fn names(toc: &Toc) -> Vec<String> {
    let text = |text: &Option<_>| text.as_ref().map(ToString::to_string).unwrap_or_default();
    let name = |entry: &Entry| format!("{} {}", text(&entry.desc), text(&entry.tag));
    toc.entries().iter().map(name).collect()
}

#[test]
fn a_table_comes_with_its_rows_and_comment_and_without_its_keys() {
    let cut = toc().select(&Selection::everything().with_table(None, "customers"));
    assert_eq!(
        names(&cut),
        [
            "ENCODING ENCODING",
            "STDSTRINGS STDSTRINGS",
            "SEARCHPATH SEARCHPATH",
            "DATABASE shop",
            "TABLE customers",
            "COMMENT TABLE customers",
            "TABLE DATA customers",
        ]
    );
}

#[test]
fn names_are_compared_as_they_are_and_both_conditions_hold() {
    let rows = |selection: Selection| {
        let cut = toc().select(&selection);
        cut.entries().iter().filter(|entry| entry.has_copy_lines()).count()
    };
    assert_eq!(rows(Selection::everything()), 3);
    assert_eq!(rows(Selection::everything().with_table(None, "Customers")), 0);
    assert_eq!(rows(Selection::everything().with_table(None, "c*")), 0);
    assert_eq!(rows(Selection::everything().with_table(Some("public"), "no rows")), 1);
    assert_eq!(rows(Selection::everything().with_table(Some("other"), "no rows")), 0);
    assert_eq!(rows(Selection::everything().with_schema("public")), 3);
    assert_eq!(rows(Selection::everything().with_schema("other")), 0);
    assert_eq!(rows(Selection::everything().with_schema("public").with_table(None, "Ünïcode ö")), 1);
    assert_eq!(rows(Selection::everything().with_schema("other").with_table(None, "customers")), 0);
    let two = Selection::everything().with_table(None, "customers").with_table(None, "no rows");
    assert_eq!(rows(two), 2);
}

#[test]
fn what_nothing_belongs_to_is_told() {
    let selection = Selection::everything()
        .with_schema("public")
        .with_schema("publik")
        .with_table(None, "customers")
        .with_table(Some("shop"), "customers")
        .with_table(None, "customers_pkey");
    let unmatched = selection.unmatched(&toc());
    assert_eq!(unmatched, ["schema publik", "table shop.customers", "table customers_pkey"]);
    assert_eq!(toc().select(&Selection::everything()), toc());
}
