use std::fmt::{self, Write as _};

use super::{Report, Status, text};

impl Report {
    /// The report as a page for working papers: one file, without scripts, that loads nothing and prints well.
    pub fn to_html(&self) -> String {
        let mut page = String::from(HEAD);
        // Writing into a text does not fail.
        let _ = self.write_html(&mut page);
        page.push_str("</main>\n</html>\n");
        page
    }

    fn write_html(&self, page: &mut String) -> fmt::Result {
        let ends_well = self.failures().next().is_none();
        let class = if ends_well { "good" } else { "bad" };
        writeln!(page, "<p class=\"verdict {class}\">{}</p>", escaped(self.verdict()))?;
        self.write_facts(page)?;
        writeln!(page, "<h2>Not proven</h2>\n<ul>")?;
        for not in self.not_proven() {
            writeln!(page, "<li>{}</li>", escaped(&not.text))?;
        }
        writeln!(page, "</ul>\n<h2>Checks</h2>\n<table class=\"checks\">")?;
        writeln!(page, "<tr><th>Outcome<th>Code<th>Object<th>Detail")?;
        let order = [Status::Fail, Status::Skip, Status::Ok];
        for status in order {
            for finding in self.findings.iter().filter(|finding| finding.status == status) {
                writeln!(
                    page,
                    "<tr class=\"{0}\"><td>{0}<td>{1}<td>{2}<td>{3}",
                    status.word(),
                    finding.reason,
                    escaped(finding.object.as_deref().unwrap_or_default()),
                    escaped(&finding.detail)
                )?;
            }
        }
        for ((status, reason), count) in &self.untold {
            writeln!(
                page,
                "<tr class=\"{0}\"><td>{0}<td>{reason}<td><td>{count} more of this kind",
                status.word()
            )?;
        }
        writeln!(page, "</table>")
    }

    fn write_facts(&self, page: &mut String) -> fmt::Result {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
        let level = self.level.map(|level| level.number().to_string());
        writeln!(page, "<table class=\"facts\">")?;
        let mut fact = |name: &str, value: &str| writeln!(page, "<tr><th>{name}<td>{}", escaped(value));
        fact("Level reached", &or_none(level))?;
        fact("Level asked", &self.asked.number().to_string())?;
        fact("Organisation", &or_none(self.org_id.as_ref().map(ToString::to_string)))?;
        fact("Database", &or_none(self.database_id.as_ref().map(ToString::to_string)))?;
        fact("Chain", &or_none(self.chain_id.map(|id| id.to_string())))?;
        for key in &self.keys {
            let pinned = if key.pinned { ", trusted beforehand" } else { "" };
            let revoked = key.revoked_seq.map(|seq| format!(", revoked by row {seq}")).unwrap_or_default();
            fact("Key", &format!("{} from row {}{pinned}{revoked}", key.key_id, key.from_seq))?;
        }
        for witness in &self.witnesses {
            fact("Witness", &format!("{} at {}", witness.name, witness.at))?;
        }
        if let Some(at) = self.stamped_at {
            fact("Timestamp", &at.to_string())?;
        }
        fact("Existed by, as others say", &or_none(self.existed_by.map(|at| at.to_string())))?;
        fact("Latest state until, as witnesses say", &or_none(self.latest_at.map(|at| at.to_string())))?;
        fact("Latest date in it, as its writer says", &or_none(self.last_dated_at.map(|at| at.to_string())))?;
        fact("Rows", &self.events.to_string())?;
        fact("Rows not shown", &self.hidden.to_string())?;
        fact("Completed backups", &self.backups.to_string())?;
        fact("Manifests with a good signature", &self.manifests.to_string())?;
        fact("Dumps compared", &self.artifacts_checked.to_string())?;
        fact("Drills passed", &self.drills_passed.to_string())?;
        fact("Receipts with a good signature", &self.receipts.to_string())?;
        fact("Verified at", &or_none(self.verified_at.map(|at| at.to_string())))?;
        if let Some(as_of) = self.as_of {
            fact("Ages taken as of", &as_of.to_string())?;
        }
        fact("SHA-256 of the bundle", &or_none(self.bundle_sha256.map(|digest| digest.to_string())))?;
        fact("Verifier", concat!("walwarden-verify ", env!("CARGO_PKG_VERSION")))?;
        writeln!(page, "</table>")
    }
}

/// Text fit for a page: what hides or reorders text is shown escaped, and nothing is markup.
fn escaped(text: &str) -> String {
    let mut page = String::new();
    for character in text::printable(text).to_string().chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            other => page.push(other),
        }
    }
    page
}

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>Verification of backup evidence</title>
<style>
body { font: 11pt/1.4 sans-serif; color: #000; background: #fff; max-width: 60em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 18pt } h2 { font-size: 14pt }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #888; padding: .2em .5em; text-align: left; vertical-align: top; overflow-wrap: anywhere }
.facts th { width: 16em; font-weight: normal }
.verdict { font-size: 14pt; font-weight: bold; border: 2px solid; padding: .4em .6em }
.good { color: #060 } .bad, .failed td { color: #900 } .not_checked td { color: #555 }
tr { break-inside: avoid } .checks { font-size: 9pt }
@media print { body { margin: 0; max-width: none } }
</style>
<main>
<h1>Verification of backup evidence</h1>
";
