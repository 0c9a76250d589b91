use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::rows::{Tables, by_sql};
use crate::source::{client, database, psql, run};

/// Restores into a new database by `pg_restore --jobs` and compares all tables and large objects.
///
/// Data goes in before the triggers are made: a parallel `pg_restore` of everything may make the trigger of a partitioned
/// table while its partitions are still being filled, and then restores what the trigger makes of the rows.
pub(crate) fn restore_and_compare(major: u32, archive: &Path, tables: &Tables) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (server, source) = database(major);
    let target = format!("restored_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    psql(server, "postgres", &format!("CREATE DATABASE {target} TEMPLATE template0"));
    for section in ["--section=pre-data", "--section=data", "--section=post-data"] {
        let mut command = client(server, "pg_restore");
        command.args(["--jobs=3", "--exit-on-error", section, "--dbname"]);
        run(command.arg(server.socket_dsn(&target)).arg(archive));
    }

    assert!(!tables.is_empty());
    assert_eq!(&by_sql(server, &target, tables), tables, "{major}");
    let large_objects = "SELECT oid, sha256(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid";
    let restored = psql(server, &target, large_objects);
    assert_eq!(restored.iter().filter(|byte| **byte == b'\n').count(), 4, "{major}");
    assert_eq!(restored, psql(server, source, large_objects), "{major}");
    psql(server, "postgres", &format!("DROP DATABASE {target}"));
}
