//! `walwarden database check`: tries the key, the source and the destination before the first backup does.

use std::time::Duration;

use serde_json::{Value, json};
use walwarden_core::source::{Severity, preflight};
use walwarden_core::storage::Patience;
use walwarden_core::{Error, Exit, Result};

use crate::exit::{self, DONE, Ending};
use crate::home::{Home, dump_options};
use crate::output::{Output, bytes};
use crate::settings::DatabaseSettings;

/// One thing to know, from whichever side.
struct Finding {
    about: &'static str,
    severity: Severity,
    code: String,
    what: String,
    what_to_do: String,
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    list: Vec<Finding>,
    /// Facts that need no action, one line each.
    facts: Vec<(&'static str, String)>,
    status: u8,
}

pub(crate) async fn run(database: &DatabaseSettings, home: &Home, output: Output) -> Ending {
    let mut findings = Findings::default();
    findings.take("key", key(home));
    let source = source(database, home, &mut findings).await;
    findings.take("source", source);
    let destination = destination(database, home, &mut findings).await;
    findings.take("destination", destination);
    let data = json!({
        "database": database.name.as_str(),
        "ready": findings.status == DONE,
        "facts": findings.facts.iter().map(|(about, fact)| json!({ "about": about, "fact": fact })).collect::<Vec<_>>(),
        "findings": findings.list.iter().map(described).collect::<Vec<_>>(),
    });
    exit::printed(findings.status, output.result(told(&findings), &data))
}

impl Findings {
    fn fact(&mut self, about: &'static str, fact: String) {
        self.facts.push((about, fact));
    }

    /// An error is a finding like others, and the check goes on.
    fn take(&mut self, about: &'static str, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.worsen(error.code().exit());
            self.list.push(of_error(about, &error));
        }
    }

    fn add(&mut self, finding: Finding) {
        if finding.severity == Severity::Error {
            self.worsen(Exit::UserError);
        }
        self.list.push(finding);
    }

    /// The first error decides the exit status.
    fn worsen(&mut self, exit: Exit) {
        if self.status == DONE {
            self.status = exit as u8;
        }
    }
}

fn key(home: &Home) -> Result<()> {
    home.key().map(drop)
}

async fn source(database: &DatabaseSettings, home: &Home, findings: &mut Findings) -> Result<()> {
    let codec = dump_options(&database.dump)?.compression.map(|compression| compression.codec);
    let dsn = home.source(database)?;
    let clients = home.clients().await;
    let found: Vec<String> = clients.iter().map(|client| client.version().to_owned()).collect();
    findings
        .fact("client programs", if found.is_empty() { "none found".to_owned() } else { found.join(", ") });
    let seen = preflight(&dsn, &clients, codec).await?;
    findings.fact(
        "source",
        format!(
            "Postgres {}, database {} as role {}: {} tables, {} large objects, {} on disk, {}",
            seen.server_version,
            seen.database,
            seen.role,
            seen.tables,
            seen.large_objects,
            bytes(seen.size_bytes),
            seen.encoding
        ),
    );
    for finding in seen.findings {
        findings.add(Finding {
            about: "source",
            severity: finding.severity,
            code: finding.code.to_owned(),
            what: finding.object,
            what_to_do: finding.what_to_do,
        });
    }
    Ok(())
}

async fn destination(database: &DatabaseSettings, home: &Home, findings: &mut Findings) -> Result<()> {
    let storage = home.backup_destination(&database.name, &database.destination, PATIENCE).await?;
    let abilities = storage.abilities().await?;
    let never = if abilities.put_if_absent { "the store itself refuses a second put" } else { "see below" };
    findings.fact("destination", format!("{}: written to and read back; {never}", database.destination));
    if !abilities.put_if_absent {
        findings.add(Finding {
            about: "destination",
            severity: Severity::Warning,
            code: "put-if-absent-missing".to_owned(),
            what: database.destination.clone(),
            what_to_do: abilities.note.unwrap_or_else(|| "Let only one installation write here.".to_owned()),
        });
    }
    Ok(())
}

fn of_error(about: &'static str, error: &Error) -> Finding {
    Finding {
        about,
        severity: Severity::Error,
        code: error.code().text().to_owned(),
        what: error.lines().join(": "),
        what_to_do: error.code().next_action().to_owned(),
    }
}

fn told(findings: &Findings) -> String {
    let mut text = String::new();
    for (about, fact) in &findings.facts {
        text.push_str(&format!("{about:<16} {fact}\n"));
    }
    for finding in &findings.list {
        let (about, severity) = (finding.about, word(finding.severity));
        text.push_str(&format!(
            "{severity}: {about}: {} [{}]\n  next: {}\n",
            finding.what, finding.code, finding.what_to_do
        ));
    }
    text.push_str(if findings.status == DONE {
        "ready: nothing found stands in the way of a backup"
    } else {
        "not ready: a backup would fail"
    });
    text
}

fn described(finding: &Finding) -> Value {
    json!({
        "about": finding.about,
        "severity": word(finding.severity),
        "code": finding.code,
        "what": finding.what,
        "whatToDo": finding.what_to_do,
    })
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// Somebody waits for the answer.
const PATIENCE: Patience = Patience {
    tries: 3,
    first_pause: Duration::from_millis(500),
    limit: Duration::from_secs(15),
    silence: Duration::from_secs(10),
};
