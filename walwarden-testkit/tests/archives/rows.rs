//! Row digests against another program's: `COPY … TO STDOUT`, summed up by Python.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use walwarden_archive::{Contents, index};
use walwarden_testkit::postgres::{MAJORS, Postgres, quote_identifier};

use crate::source::{Into, database, dump, psql};

const SUM: &str = r"
import hashlib, sys
lines = sys.stdin.buffer.read().split(b'\n')
assert lines.pop() == b''
print(len(lines), '%064x' % (sum(int.from_bytes(hashlib.sha256(line).digest(), 'big') for line in lines) % 2**256))
";

/// Rows and digest of each table, by schema and name.
pub(crate) type Tables = BTreeMap<(String, String), (u64, String)>;

pub(crate) fn by_index(contents: &Contents) -> Tables {
    let rows = |entry: &walwarden_verify::index::Entry| {
        let rows = entry.data.as_ref()?.rows?;
        Some(((entry.schema.clone()?, entry.name.clone()), (rows.count, rows.digest.to_string())))
    };
    contents.entries.iter().filter_map(rows).collect()
}

/// The same, of a database. `tables` says which.
pub(crate) fn by_sql(server: &Postgres, database: &str, tables: &Tables) -> Tables {
    let sum = |(schema, name): &(String, String)| {
        let printed = python_sum(&copied(server, database, schema, name));
        let (count, digest) = printed.trim().split_once(' ').unwrap();
        ((schema.clone(), name.clone()), (count.parse().unwrap(), digest.to_owned()))
    };
    tables.keys().map(sum).collect()
}

/// The rows of a table as COPY text.
pub(crate) fn copied(server: &Postgres, database: &str, schema: &str, name: &str) -> Vec<u8> {
    let (schema, name) = (quote_identifier(schema), quote_identifier(name));
    let columns = psql(
        server,
        database,
        &format!(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attnum > 0 \
             AND NOT attisdropped AND attgenerated = '' AND attrelid = $table${schema}.{name}$table$::regclass"
        ),
    );
    let columns = String::from_utf8(columns).unwrap();
    let columns = columns.strip_suffix('\n').unwrap();
    let columns = if columns.is_empty() { String::new() } else { format!("({columns})") };
    let copy = format!(
        "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3;\n\
         COPY {schema}.{name} {columns} TO STDOUT;"
    );
    psql(server, database, &copy)
}

#[test]
fn row_digests_are_those_of_copy() {
    for major in MAJORS {
        let (server, database) = database(major);
        let archive = dump(major, &[], Into::Pipe);
        let ours = by_index(&index(&archive.bytes()[..]).unwrap());
        assert!(ours.len() > 12, "{major}: {ours:?}");
        assert_eq!(ours, by_sql(server, database, &ours), "{major}");
    }
}

fn python_sum(input: &[u8]) -> String {
    let mut python = Command::new("python3");
    let mut child = python.args(["-c", SUM]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
