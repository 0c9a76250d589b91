use super::*;

fn said(text: &str) -> Said {
    let stderr = Stderr::default();
    stderr.keep(text.as_bytes());
    stderr.said(&Dsn::parse("postgres://u:hunter2@h/d").unwrap())
}

#[test]
fn messages_of_every_major_are_classified() {
    for (text, code) in [
        ("pg_dump: error: aborting because of server version mismatch", Code::ClientMissing),
        (
            "pg_dump: error: query failed: ERROR:  out of shared memory\nHINT:  You might need to increase max_locks_per_transaction.",
            Code::SourceLocksExhausted,
        ),
        ("pg_dump: error: query failed: ERROR:  canceling statement due to lock timeout", Code::SourceLocked),
        (
            "pg_dump: error: connection to server at \"h\" (1.2.3.4), port 5432 failed: FATAL:  password authentication failed for user \"u\"",
            Code::SourceLoginRefused,
        ),
        (
            "pg_dump: error: connection to server on socket \"/x\" failed: FATAL:  database \"nope\" does not exist",
            Code::SourceDatabaseMissing,
        ),
        (
            "pg_dump: error: connection to server at \"h\", port 1 failed: Connection refused",
            Code::SourceUnreachable,
        ),
        (
            "pg_dump: error: Dumping the contents of table \"t\" failed: PQgetCopyData() failed.\npg_dump: detail: Error message from server: server closed the connection unexpectedly",
            Code::SourceConnectionLost,
        ),
        ("pg_dump: error: query failed: ERROR:  permission denied for table t", Code::SourcePermission),
        (
            "pg_dump: error: query failed: ERROR:  query would be affected by row-level security policy for table \"t\"",
            Code::SourcePermission,
        ),
        ("pg_dump: error: no matching tables were found", Code::DumpFailed),
        ("", Code::DumpFailed),
    ] {
        assert_eq!(said(text).code(), code, "{text}");
    }
}

/// Words of PostgreSQL 15's own translations; `pg_dump`'s are English, as it is told (`LC_ALL=C`).
#[test]
fn answers_in_other_languages_are_classified_by_what_was_asked() {
    let asked =
        "\npg_dump: detail: Query was: LOCK TABLE public.customers, public.orders IN ACCESS SHARE MODE";
    let asked_by_14 = "\npg_dump: error: query was: LOCK TABLE public.customers IN ACCESS SHARE MODE";
    let timeout = "storniere Anfrage wegen Zeitüberschreitung der Anfrage";
    for (answer, asked, code) in [
        (format!("FEHLER:  {timeout}"), asked, Code::SourceLocked),
        (format!("FEHLER:  {timeout}"), asked_by_14, Code::SourceLocked),
        ("ERREUR:  droit refusé pour la table orders".to_owned(), asked, Code::SourcePermission),
        ("ERROR:  テーブル customers へのアクセスが拒否されました".to_owned(), asked, Code::SourcePermission),
        (
            "FEHLER:  Shared Memory ist voll\nHINT:  Sie müssen möglicherweise max_locks_per_transaction erhöhen."
                .to_owned(),
            asked,
            Code::SourceLocksExhausted,
        ),
        (format!("FEHLER:  {timeout}"), "\npg_dump: detail: Query was: SELECT 1", Code::DumpFailed),
    ] {
        let text = format!("pg_dump: error: query failed: {answer}{asked}");
        assert_eq!(said(&text).code(), code, "{text}");
    }
    let login = "pg_dump: error: connection to server at \"h\", port 5432 failed: FATAL:  kein pg_hba.conf-Eintrag für Host »::1«";
    assert_eq!(said(login).code(), Code::SourceLoginRefused);
}

#[test]
fn memory_is_bounded_and_both_ends_are_kept() {
    let stderr = Stderr::default();
    stderr.keep(b"first line\n");
    for _ in 0..1000 {
        stderr.keep(&[b'x'; 9_999]);
    }
    stderr.keep(b"\nlast line\n");
    let said = stderr.said(&Dsn::parse("host=h").unwrap());
    assert!(said.text().len() < HEAD_BYTES + TAIL_BYTES + 100);
    assert!(said.text().starts_with("first line\n") && said.text().ends_with("\nlast line"));
    let left_out = 11 + 9_999_000 + 11 - HEAD_BYTES - TAIL_BYTES;
    assert!(said.text().contains(&format!("[{left_out} bytes left out]")));
}

#[test]
fn the_password_is_masked() {
    let said = said("pg_dump: warning: x\npg_dump: error: hunter2 is no password\nmore");
    assert_eq!(said.main_line(), "pg_dump: error: … is no password");
    assert!(!format!("{said} {said:?}").contains("hunter2"));
}
