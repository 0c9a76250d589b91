use super::*;

/// What servers answer to a parameter they do not know, in their own words (PostgreSQL 15).
const UNKNOWN_PARAMETER: [&str; 5] = [
    "ERROR:  unrecognized configuration parameter \"transaction_timeout\"",
    "FEHLER:  unbekannter Konfigurationsparameter »transaction_timeout«",
    "ERREUR:  paramètre de configuration « transaction_timeout » non reconnu",
    "ERROR:  設定パラメータ\"transaction_timeout\"は不明です",
    "ОШИБКА:  нераспознанный параметр конфигурации: \"transaction_timeout\"",
];

fn query_error(answer: &str, command: &str) -> String {
    format!("pg_restore: error: could not execute query: {answer}\nCommand was: {command}\n\n")
}

fn is_harmless(text: &str) -> bool {
    let told = Told::of(text);
    told.serious.is_none() && !told.harmless.is_empty()
}

#[test]
fn a_harmless_error_is_harmless_in_every_language() {
    for answer in UNKNOWN_PARAMETER {
        assert!(is_harmless(&query_error(answer, "SET transaction_timeout = 0;")), "{answer}");
        let serious = query_error(answer, "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$");
        assert!(!is_harmless(&serious), "{answer}");
        assert!(Told::of(&serious).serious.unwrap().ends_with(answer));
    }
    for (answer, command) in [
        (
            "FEHLER:  geerbter Constraint »visits_2026_pkey« von Relation »visits_2026« kann nicht gelöscht werden",
            "ALTER TABLE IF EXISTS ONLY public.visits_2026 DROP CONSTRAINT IF EXISTS visits_2026_pkey;",
        ),
        (
            "ERROR:  リレーション\"Vis its\"の継承された制約\"p;k\"を削除できません",
            "ALTER TABLE IF EXISTS ONLY public.\"Vis its\" DROP CONSTRAINT IF EXISTS \"p;k\";",
        ),
        (
            "FEHLER:  Berechtigung nur für Eigentümer der Erweiterung plpgsql",
            "COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';",
        ),
    ] {
        assert!(is_harmless(&query_error(answer, command)), "{command}");
    }
}

#[test]
fn statements_that_do_more_than_the_harmless_ones_are_serious() {
    for command in [
        "SET transaction_timeout = 0; DROP TABLE t;",
        "ALTER TABLE IF EXISTS ONLY public.t DROP CONSTRAINT IF EXISTS k, DROP COLUMN c;",
        "ALTER TABLE IF EXISTS ONLY public.t DROP COLUMN IF EXISTS k;",
        "ALTER TABLE IF EXISTS ONLY t DROP CONSTRAINT IF EXISTS k;",
        "CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public;",
        "",
    ] {
        assert!(!is_harmless(&query_error("FEHLER:  irgendetwas", command)), "{command}");
    }
}

/// What the user's data says cannot make an error harmless.
#[test]
fn user_data_that_looks_like_a_harmless_error_hides_nothing() {
    let quoted = query_error("ERROR:  x", "SET transaction_timeout = 0;");
    for serious in [
        format!(
            "pg_restore: error: COPY failed for table \"t\": ERROR:  x\nCONTEXT:  COPY t, line 1: \"{quoted}\"\n"
        ),
        query_error(&format!("ERROR:  invalid input: \"{quoted}\""), "CREATE INDEX ON t ((a::int));"),
        query_error("ERROR:  x", "CREATE FUNCTION f() AS $$\nCommand was: SET transaction_timeout = 0;\n$$"),
    ] {
        assert!(!is_harmless(&serious), "{serious}");
        assert!(!is_harmless(&format!("{quoted}{serious}{quoted}")), "{serious}");
    }
}

/// The parts of a line are written one by one, and several programs share standard error.
#[test]
fn errors_told_at_the_same_time_are_all_heard() {
    let harmless = "could not execute query: FEHLER:  x\nCommand was: SET transaction_timeout = 0;\n";
    let mixed = "pg_restore: pg_restore: error: error: ";
    assert!(is_harmless(&format!("{mixed}{harmless}{harmless}")));
    assert!(!is_harmless(&format!("{mixed}{harmless}COPY failed for table \"t\": FEHLER:  x\n")));
}
