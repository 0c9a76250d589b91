//! Keeps connection strings that were typed out of what we say about wrong use: they may hold a password.

/// `text` with `…` in place of every connection string among the arguments. Where its password begins and ends is not
/// asked: what is wrong may be just that.
pub(crate) fn masked(text: &str, arguments: impl IntoIterator<Item = String>) -> String {
    let secrets = arguments.into_iter().filter_map(|argument| secret_part(&argument).map(str::to_owned));
    let mut secrets: Vec<String> = secrets.collect();
    // Longer ones first: one may be part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
}

/// The part of an argument that may hold a password: all of it, but for a flag in front.
fn secret_part(argument: &str) -> Option<&str> {
    let lower = argument.to_ascii_lowercase();
    let is_url = lower.contains("postgres://") || lower.contains("postgresql://");
    let has_login = lower.contains("://") && lower.contains('@');
    if !is_url && !has_login && !lower.contains("password") {
        return None;
    }
    let value = match argument.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => value,
        // `--password-file` is a flag, not a secret.
        _ if argument.starts_with("--") && !argument.contains("://") => return None,
        _ => argument,
    };
    Some(value).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_of(argument: &str) -> String {
        let text = format!("error: unexpected argument '{argument}' found\n  tip: '{argument}' is not known");
        masked(&text, [argument.to_owned(), "--json".to_owned()])
    }

    #[test]
    fn a_connection_string_is_not_repeated() {
        for argument in [
            "postgres://u:hunter2@h/x",
            "postgres://u:hun/ter2@h/x",
            "--dsn=postgresql://u:hunter2@h/x",
            "--targt=host=h password=hunter2",
            "host=h password = 'hunter2'",
            "password=hunter2",
            "s3://key:hunter2@bucket",
            "POSTGRES://u:hunter2",
        ] {
            let said = said_of(argument);
            assert!(!said.contains("ter2"), "{said}");
            assert!(said.contains("unexpected argument"), "{said}");
        }
        assert!(said_of("--dsn=postgres://u:hunter2@h/x").contains("'--dsn=…'"));
    }

    #[test]
    fn other_arguments_are_told_as_they_are() {
        for argument in ["frobnicate", "--password-fil", "host=h", "s3://bucket/path", "--dsn="] {
            assert!(said_of(argument).contains(&format!("'{argument}'")), "{argument}");
        }
    }
}
