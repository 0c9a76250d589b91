use super::*;

#[test]
fn every_object_lies_where_the_format_says() {
    let (org, database) = ("acme".parse().unwrap(), "shop".parse().unwrap());
    let at = "2026-01-02T23:59:59.999Z".parse().unwrap();
    let job = JobId::from_parts(0, [0; 10]);
    let chain = ChainId::from_parts(0, [0; 10]);
    let folder = "org/acme/db/shop/backup/2026/01/02/00000000-0000-7000-8000-000000000000";
    assert_eq!(artifact_key(&org, &database, at, job, false), format!("{folder}.dump"));
    assert_eq!(artifact_key(&org, &database, at, job, true), format!("{folder}.dump.age"));
    assert_eq!(index_key(&org, &database, at, job), format!("{folder}.index.json"));
    assert_eq!(globals_key(&org, &database, at, job), format!("{folder}.globals.sql"));
    assert_eq!(manifest_key(&org, &database, at, job), format!("{folder}.manifest.json"));
    assert_eq!(
        receipt_key(&org, &database, at, job),
        format!("{}.receipt.json", folder.replacen("backup", "drill", 1))
    );
    assert_eq!(
        checkpoint_key(&org, &database, chain, 7),
        format!("org/acme/db/shop/audit/{chain}/checkpoint/00000000000000000007")
    );
}
