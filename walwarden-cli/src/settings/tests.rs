use walwarden_core::Code;
use walwarden_core::secret::Secret;

use super::*;

fn shop() -> DatabaseSettings {
    DatabaseSettings {
        name: "shop".parse().unwrap(),
        source: SourceSettings::Dsn(Secret::new("postgres://u:hunter2@h/shop")),
        password_file: Some("/run/secrets/shop".into()),
        destination: "file:///backups".into(),
        dump: DumpSettings {
            compression: Some("zstd:9".into()),
            schemas: vec!["public".into()],
            exclude_schemas: vec!["audit_*".into()],
            tables: vec!["a".into(), "\"B c\"".into()],
            exclude_tables: vec!["tmp*".into()],
            exclude_table_data: vec!["public.sessions".into()],
            no_owner: true,
            no_privileges: true,
            lock_timeout_seconds: Some(30),
            jobs: Some(4),
            globals: true,
        },
    }
}

fn refusal(text: &str) -> String {
    let error = parse(text).unwrap_err();
    assert_eq!(error.code(), Code::SettingsInvalid);
    error.to_string()
}

#[test]
fn what_was_added_is_read_back() {
    let text = added(TEMPLATE, &shop()).unwrap();
    assert_eq!(parse(&text).unwrap().databases, [shop()]);
}

#[test]
fn the_template_is_valid_and_sets_nothing() {
    assert_eq!(parse(TEMPLATE).unwrap(), SettingsFile::default());
}

#[test]
fn the_template_stays_valid_when_its_examples_are_taken_up() {
    let uncommented: String = TEMPLATE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let settings = parse(&uncommented).unwrap();
    assert_eq!(settings.org.unwrap().as_str(), "local");
    assert_eq!(settings.databases[0].name.as_str(), "shop");
}

#[test]
fn comments_and_order_survive_edits() {
    let text = "# mine\norg = \"acme\" # ours\n\n# the shop\n[database.zoo]\ndsn = \"postgres://h/zoo\" # prod\ndestination = \"file:///b\"\n";
    let with_shop = added(text, &shop()).unwrap();
    assert!(with_shop.starts_with(text), "{with_shop}");
    assert_eq!(removed(&with_shop, &"shop".parse().unwrap()).unwrap().trim_end(), text.trim_end());
}

#[test]
fn a_taken_name_is_refused() {
    let text = added("", &shop()).unwrap();
    assert_eq!(added(&text, &shop()).unwrap_err().code(), Code::DatabaseExists);
}

#[test]
fn an_absent_name_cannot_be_removed() {
    let error = removed("", &"shop".parse().unwrap()).unwrap_err();
    assert_eq!(error.code(), Code::DatabaseUnknown);
}

#[test]
fn unknown_keys_name_their_line() {
    let message = refusal("org = \"acme\"\n\n[database.shop]\ndsn = \"x\"\ndestinaton = \"file:///b\"\n");
    assert!(message.contains("line 5") && message.contains("`destinaton` is not known"), "{message}");
    let message = refusal("orgg = 1");
    assert!(message.contains("line 1") && message.contains("known are org,"), "{message}");
}

#[test]
fn a_value_of_the_wrong_type_is_not_shown() {
    let text = "[database.shop]\ndsn = \"x\"\ndestination = \"file:///b\"\nglobals = \"hunter2\"\n";
    let message = refusal(text);
    assert!(message.contains("line 4: `globals` is to be true or false"), "{message}");
    assert!(!message.contains("hunter2"));
    assert!(!refusal("dsn = \"postgres://u:hunter2@h\n").contains("hunter2"));
    assert!(!refusal("[database.x]\ndsn = postgres://u:hunter2@h\n").contains("hunter2"));
}

#[test]
fn a_database_needs_one_source_and_a_destination() {
    assert!(refusal("[database.a]\ndestination = \"file:///b\"\n").contains("line 1"));
    let both = "[database.a]\ndsn = \"x\"\ndsn_env = \"X\"\ndestination = \"file:///b\"\n";
    assert!(refusal(both).contains("either `dsn` or `dsn_env`"));
    assert!(refusal("[database.a]\ndsn = \"x\"\n").contains("needs `destination`"));
}

#[test]
fn names_follow_the_rule_of_ids() {
    assert!(
        refusal("[database.Shop]\ndsn = \"x\"\ndestination = \"y\"\n").contains("`Shop` is no database name")
    );
}

#[test]
fn debug_shows_no_password() {
    assert!(!format!("{:?}", shop()).contains("hunter2"));
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    store(&path, "org = \"a\"\n").unwrap();
    store(&path, "org = \"b\"\n").unwrap();
    assert_eq!(load(&path).unwrap().unwrap(), "org = \"b\"\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
