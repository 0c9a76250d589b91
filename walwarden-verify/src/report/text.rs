use std::fmt::{self, Write as _};

use super::Report;

impl Report {
    /// The report as `walwarden-verify` prints it: a line for each check, the verdict, the keys, and what is not proven.
    pub fn to_text(&self) -> String {
        let mut text = self.to_string();
        // Writing into a text does not fail.
        let _ = self.write_verdict(&mut text).and_then(|()| self.write_context(&mut text));
        text
    }

    fn write_verdict(&self, text: &mut String) -> fmt::Result {
        let level = self.level.map_or_else(|| "none".to_owned(), |level| level.number().to_string());
        writeln!(
            text,
            "{} (level {level}, asked {}; {} events, {} manifests, {} receipts, {} dumps checked)",
            self.verdict(),
            self.asked.number(),
            self.events,
            self.manifests,
            self.receipts,
            self.artifacts_checked
        )
    }

    /// Under which keys, and what stays open.
    fn write_context(&self, text: &mut String) -> fmt::Result {
        for key in &self.keys {
            let trusted = if key.pinned { ", trusted" } else { "" };
            let revoked = key.revoked_seq.map(|seq| format!(", revoked by row {seq}")).unwrap_or_default();
            writeln!(text, "key {} from row {}{trusted}{revoked}", key.key_id, key.from_seq)?;
        }
        self.not_proven().iter().try_for_each(|not| writeln!(text, "NOT PROVEN: {}", not.text))
    }
}

/// Text from the evidence, fit for a terminal: control characters, and those that reorder or hide what stands beside
/// them, are written as `\u{…}`.
pub(super) fn printable(text: &str) -> impl fmt::Display {
    Printable(text)
}

struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() || is_invisible(character) {
                write!(f, "\\u{{{:x}}}", u32::from(character))?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

// What is not seen, or looks like a blank: Cf, Zl and Zp of Unicode 16, Default_Ignorable_Code_Point, white space but for U+0020.
fn is_invisible(character: char) -> bool {
    let is_odd_space = character.is_whitespace() && character != ' ';
    is_odd_space
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}'
                | '\u{8e2}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
                | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
                | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}
