//! One query for each thing that has hurt someone.

use super::{Finding, Row, Severity, cell};

/// A query whose rows are findings: the first column is the object; `{1}` in the advice is the second column.
pub(super) struct Check {
    pub(super) severity: Severity,
    pub(super) code: &'static str,
    pub(super) what_to_do: &'static str,
    pub(super) sql: &'static str,
}

impl Check {
    pub(super) fn findings(&self, rows: &[Row]) -> Vec<Finding> {
        let finding = |object: String, second: &str| Finding {
            severity: self.severity,
            code: self.code,
            object,
            what_to_do: self.what_to_do.replace("{1}", second),
        };
        let shown = rows.iter().take(MOST_OF_A_KIND).map(|row| finding(cell(row, 0), &cell(row, 1)));
        let more = rows.len().saturating_sub(MOST_OF_A_KIND);
        let rest = (more > 0).then(|| finding(format!("{more} more"), "…"));
        shown.chain(rest).collect()
    }
}

/// The client talks to another port than the server listens on: usually a pooler, sometimes only a port mapping.
pub(super) fn pooler(client_port: u16, server_port: &str) -> Option<Finding> {
    let differs = !server_port.is_empty() && server_port != client_port.to_string();
    (differs || USUAL_POOLER_PORTS.contains(&client_port)).then(|| Finding {
        severity: Severity::Info,
        code: "pooler-suspected",
        object: format!("port {client_port}"),
        what_to_do:
            "If a connection pooler listens there, use its session mode or connect to the server itself: \
                     pg_dump needs one session for the whole dump."
                .to_owned(),
    })
}

const MOST_OF_A_KIND: usize = 50;
const USUAL_POOLER_PORTS: [u16; 2] = [6432, 6543];

macro_rules! user_relations {
    ($columns:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace",
            " WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
            " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend AS d",
            " JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid",
            " WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'",
            " AND NOT c.oid = ANY (coalesce(e.extconfig, '{}'))) AND ",
            $condition,
            " ORDER BY 1"
        )
    };
}

pub(super) const ALL: &[Check] = &[
    Check {
        severity: Severity::Error,
        code: "schema-unusable",
        what_to_do: "GRANT USAGE ON SCHEMA {1} to the role of the connection string, or GRANT pg_read_all_data to it.",
        sql: "SELECT n.nspname, quote_ident(n.nspname) FROM pg_catalog.pg_namespace AS n
               WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                 AND NOT has_schema_privilege(n.oid, 'USAGE')
                 AND EXISTS (SELECT 1 FROM pg_catalog.pg_class AS c
                              WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'S'))
               ORDER BY 1",
    },
    Check {
        severity: Severity::Error,
        code: "table-unreadable",
        what_to_do: "GRANT SELECT ON {1} to the role of the connection string, GRANT pg_read_all_data to it, or exclude the table.",
        sql: user_relations!(
            "c.oid::regclass, c.oid::regclass",
            "c.relkind IN ('r', 'p') AND NOT has_table_privilege(c.oid, 'SELECT')"
        ),
    },
    Check {
        severity: Severity::Error,
        code: "sequence-unreadable",
        what_to_do: "GRANT SELECT ON SEQUENCE {1} to the role of the connection string, or GRANT pg_read_all_data to it.",
        sql: user_relations!(
            "c.oid::regclass, c.oid::regclass",
            // The cases stand apart because asking for a sequence's right on a table is an error.
            "CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(c.oid, 'SELECT') ELSE false END"
        ),
    },
    Check {
        severity: Severity::Error,
        code: "row-security",
        what_to_do: "Row security would hide rows of it, so pg_dump refuses: give the role BYPASSRLS, dump as the owner, or exclude the table.",
        sql: user_relations!(
            "c.oid::regclass",
            "c.relkind IN ('r', 'p') AND c.relrowsecurity AND row_security_active(c.oid)"
        ),
    },
    Check {
        severity: Severity::Error,
        code: "large-object-unreadable",
        what_to_do: "GRANT SELECT ON LARGE OBJECT {1} to the role of the connection string, or dump as a superuser.",
        sql: "SELECT 'large object ' || m.oid, m.oid FROM pg_catalog.pg_largeobject_metadata AS m
               WHERE NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
                 AND NOT current_setting('lo_compat_privileges')::bool
                 AND NOT pg_has_role(m.lomowner, 'USAGE')
                 AND NOT EXISTS (SELECT 1 FROM aclexplode(m.lomacl) AS a WHERE a.privilege_type = 'SELECT'
                                    AND CASE WHEN a.grantee = 0 THEN true ELSE pg_has_role(a.grantee, 'USAGE') END)
               ORDER BY m.oid",
    },
    Check {
        severity: Severity::Warning,
        code: "locks-short",
        what_to_do: "A dump locks every table at once, and the server may have room for only {1} locks: raise max_locks_per_transaction.",
        sql: "SELECT tables || ' tables', room
                FROM (SELECT count(*) AS tables FROM pg_catalog.pg_class
                       WHERE relkind IN ('r', 'p') AND relpersistence <> 't') AS t,
                     (SELECT current_setting('max_locks_per_transaction')::bigint
                             * (current_setting('max_connections')::bigint
                                + current_setting('max_prepared_transactions')::bigint) AS room) AS r
               WHERE tables > room * 0.8",
    },
    Check {
        severity: Severity::Warning,
        code: "locked-now",
        what_to_do: "Another session holds this table exclusively now; a dump would wait for it. Set a lock timeout to fail instead.",
        sql: "SELECT DISTINCT l.relation::regclass::text FROM pg_catalog.pg_locks AS l
                JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
               WHERE l.mode = 'AccessExclusiveLock' AND l.granted AND l.pid <> pg_backend_pid()
                 AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
                 AND c.relkind IN ('r', 'p') AND c.relnamespace <> 'pg_catalog'::regnamespace
               ORDER BY 1",
    },
    Check {
        severity: Severity::Warning,
        code: "standby",
        what_to_do: "Replay may cancel a long dump: raise max_standby_streaming_delay here or turn hot_standby_feedback on; rows of unlogged tables are not here.",
        sql: "SELECT 'this server is a standby' WHERE pg_is_in_recovery()",
    },
    Check {
        severity: Severity::Warning,
        code: "bytea-output",
        what_to_do: "bytea_output is {1} for this role; the check of restored rows expects hex: ALTER ROLE … SET bytea_output = hex.",
        sql: "SELECT current_user, current_setting('bytea_output') WHERE current_setting('bytea_output') <> 'hex'",
    },
    Check {
        severity: Severity::Info,
        code: "encoding-unchecked",
        what_to_do: "The database's encoding is SQL_ASCII: text is stored unchecked and may not restore into a UTF8 database.",
        sql: "SELECT datname FROM pg_catalog.pg_database
               WHERE datname = current_database() AND pg_encoding_to_char(encoding) = 'SQL_ASCII'",
    },
    Check {
        severity: Severity::Info,
        code: "foreign-table",
        what_to_do: "Its rows are elsewhere and are not dumped.",
        sql: user_relations!("c.oid::regclass", "c.relkind = 'f'"),
    },
    Check {
        severity: Severity::Info,
        code: "unlogged-table",
        what_to_do: "It is dumped, but a crash of the server empties it.",
        sql: user_relations!("c.oid::regclass", "c.relkind = 'r' AND c.relpersistence = 'u'"),
    },
    Check {
        severity: Severity::Info,
        code: "big-table",
        what_to_do: "It takes {1}; one table is dumped by one session, so it decides how long the backup takes.",
        sql: user_relations!(
            "c.oid::regclass, pg_size_pretty(pg_table_size(c.oid))",
            "c.relkind = 'r' AND c.relpages > 1310720" // 10 GiB in pages of 8 KiB
        ),
    },
];
