use super::{Level, Report};
use crate::reason::{Exit, Reason};

/// Something that a reader might take for proven, and that this verification did not prove.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotProven {
    /// Its stable name.
    pub code: &'static str,
    /// What it is, in one sentence for people.
    pub text: String,
}

impl Report {
    /// What this verification did not prove, in plain words. There is always something.
    pub fn not_proven(&self) -> Vec<NotProven> {
        let mut found = Vec::new();
        let mut not = |code, text: String| found.push(NotProven { code, text });
        let failing = || self.failures().map(|finding| finding.reason);
        let flaws = Exit::of(failing().filter(|reason| !reason.is_demand()));
        let refused = !matches!(flaws, Exit::Reached | Exit::Undecided);
        if refused {
            let text =
                "Anything: the evidence was refused, and none of its statements should be relied upon.";
            not("everything", text.to_owned());
        } else if failing().any(|reason| reason == Reason::Level) {
            let level = self.asked.number();
            let text =
                format!("That the evidence reaches level {level}: something that this takes is missing.");
            not("level", text);
        }
        if failing().any(Reason::is_demand) {
            let text = "What was demanded besides the level: see the checks that fail. The evidence does not contradict itself by that.";
            not("demands", text.to_owned());
        }
        let author = match self.keys.iter().any(|key| key.pinned) {
            false => Some("none of the chain's keys was trusted beforehand"),
            true if self.level == Some(Level::SelfConsistent) => {
                Some("nothing in it is signed by a key that was trusted beforehand")
            }
            true => None,
        };
        if let Some(why) = author {
            not("author", format!("Who wrote the evidence: {why}."));
        }
        let pinned = self.keys.iter().filter(|key| key.pinned);
        if pinned.clone().count() > 0 && pinned.clone().all(|key| key.revoked_seq.is_some()) {
            not(
                "pinned-key-revoked",
                "Whose the chain is now: it has revoked every key of its that you trusted beforehand, and goes on under others that these let in."
                    .to_owned(),
            );
        }
        if self.hidden > 0 {
            not(
                "rows-not-shown",
                format!(
                    "What the {} rows say that are not shown: of other jobs, of the jobs shown, or of keys: one that was rotated away or revoked may have signed this part. Rows shown are in their place; only the whole chain tells that nothing else was recorded.",
                    self.hidden
                ),
            );
        }
        match self.backups.saturating_sub(self.artifacts_checked) {
            0 => {}
            rest => not(
                "dumps",
                format!(
                    "That the dumps are there and unaltered: {rest} of {} were not in the bundle. Compare them with their manifests where they lie.",
                    self.backups
                ),
            ),
        }
        match self.drills_passed {
            0 => not("restorable", "That a backup can be restored: no restore drill passed.".to_owned()),
            count => not(
                "restorable",
                format!("That backups other than those drilled can be restored: {count} drills passed."),
            ),
        }
        not("content", "That the dumps hold what the database held: Walwarden states what pg_dump wrote at that time, from the server it was told to ask.".to_owned());
        not(
            "every-backup",
            "That every backup ran which should have: one that was never queued leaves no row.".to_owned(),
        );
        self.about_history(refused, &mut not);
        not(
            "key-custody",
            "That nobody else has the signing key: whoever has it can sign in its owner's name.".to_owned(),
        );
        found
    }

    fn about_history(&self, refused: bool, not: &mut impl FnMut(&'static str, String)) {
        // What others say, they say of the evidence as it stands: of what is refused nothing is told.
        match (self.witnessed && !refused, self.continuous && !refused) {
            (false, false) => not(
                "one-history",
                "That this is the only history: whoever has the signing key can write another one. Witnesses, or a checkpoint kept from an earlier time, would show it.".to_owned(),
            ),
            (false, true) => not("one-history", "That the rows after the kept checkpoint are the only ones: nobody but the owner of the key signed them.".to_owned()),
            (true, _) => {}
        }
        match self.existed_by.filter(|_| !refused) {
            None => not(
                "times",
                "When anything happened: all times are the word of whoever wrote the evidence.".to_owned(),
            ),
            Some(at) => not(
                "times",
                format!(
                    "When anything happened, but that all of it existed by {at}, as far as clocks agree within an hour: the times in the rows are the writer's word."
                ),
            ),
        }
        not(
            "latest",
            match self.latest_at.filter(|_| !refused) {
                None => "That this is the latest state: an older bundle verifies as well as it did then."
                    .to_owned(),
                Some(at) => format!(
                    "What was recorded after {at}: until then witnesses say that this was the latest state."
                ),
            },
        );
    }
}
