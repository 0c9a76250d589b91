use walwarden_archive::{DataEntries, index, read_toc};

use crate::source::{Into, dump, file_of, readers, sql};
use walwarden_testkit::postgres::MAJORS;

#[test]
fn an_archive_without_data_has_all_else() {
    for major in MAJORS {
        let archive = dump(major, &[], Into::File);
        let (header, toc) = read_toc(&archive.bytes()[..]).unwrap();
        for entries in [DataEntries::Keep, DataEntries::Remove] {
            let cut = toc.without_data(entries).to_bytes(&header);
            assert!(index(&cut[..]).unwrap().entries.iter().all(|entry| entry.data.is_none()));
            let cut = file_of(&cut);
            for reader in readers(&header) {
                for section in ["--section=pre-data", "--section=post-data"] {
                    assert!(
                        sql(reader, &cut, &[section]) == sql(reader, &archive.path, &[section]),
                        "{major} by {reader}, {section}"
                    );
                }
            }
            let data = String::from_utf8(sql(major, &cut, &["--section=data"])).unwrap();
            assert!(data.contains("SELECT pg_catalog.setval"), "{data}");
            assert_eq!(data.contains("COPY shop.orders"), entries == DataEntries::Keep, "{data}");
            assert!(!data.contains("kestrel"), "{data}");
        }
    }
}
