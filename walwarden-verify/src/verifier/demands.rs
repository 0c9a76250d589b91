//! The auditor's own demands, beyond the format.

use super::outside::is_ahead;
use super::survey::Survey;
use crate::Timestamp;
use crate::chain::Genesis;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::report::{Findings, Report};

pub(super) fn judge(
    policy: &Policy,
    genesis: &Genesis,
    survey: &Survey,
    now: Option<Timestamp>,
    report: &Report,
    findings: &mut Findings,
) {
    judge_subject(policy, genesis, survey, findings);
    let (walk, witnesses) = (&survey.walk, report.witnesses.len() as u64);
    let mut at_least = |reason, what: &str, wanted: Option<u64>, count: u64| {
        let Some(wanted) = wanted else { return };
        let detail = format!("policy demands at least {wanted} {what}, there are {count}");
        if count >= wanted { findings.ok(reason, detail) } else { findings.fail(reason, detail) }
    };
    at_least(Reason::PolicyMinimum, "events", policy.min_events, walk.shown().unwrap_or(walk.events()));
    at_least(Reason::PolicyMinimum, "backups", policy.min_backups, walk.backups());
    at_least(
        Reason::PolicyMinimum,
        "artifacts checked",
        policy.min_artifacts_checked,
        report.artifacts_checked,
    );
    at_least(Reason::PolicyMinimum, "drills passed", policy.min_drills_passed, walk.drills_passed());
    at_least(Reason::PolicyWitnesses, "witnesses", policy.min_witnesses, witnesses);

    let unseen = if witnesses > 0 && !findings.holds(Reason::CheckpointRoot) {
        "what witnesses cosigned is no checkpoint over these rows".to_owned()
    } else {
        format!("the witnesses that cosigned the checkpoint do not suffice, there are {witnesses}")
    };
    let latest_at = report.latest_at.ok_or(unseen.as_str());
    judge_age("checkpoint's cosignature", policy.max_checkpoint_age_hours, latest_at, now, findings);
    let last_backup = walk.backup_times().iter().max().copied().ok_or("no backup completed");
    judge_age("completed backup", policy.max_backup_age_hours, last_backup, now, findings);
    let last_drill = walk.last_drill().ok_or("no drill passed");
    judge_age("passed drill", policy.max_drill_age_hours, last_drill, now, findings);
    if let Some(hours) = policy.max_backup_gap_hours {
        if walk.shown().is_some() {
            let detail = "policy limits the time between backups, of which only some are shown";
            findings.fail(Reason::PolicyDisclosure, detail);
            return;
        }
        judge_gaps(walk.backup_times(), hours, findings);
    }
}

fn judge_subject(policy: &Policy, genesis: &Genesis, survey: &Survey, findings: &mut Findings) {
    let mut same = |what: &str, matches: Option<bool>| {
        let detail = format!("policy demands another {what}");
        match matches {
            Some(false) => findings.fail(Reason::PolicySubject, detail),
            Some(true) => findings.ok(Reason::PolicySubject, format!("{what} is the one the policy demands")),
            None => {}
        }
    };
    same("organisation", policy.org_id.as_ref().map(|id| genesis.org_id == *id));
    same("database", policy.database_id.as_ref().map(|id| genesis.database_id == *id));
    same("chain", policy.chain_id.map(|id| genesis.chain_id == id));
    let Some(wanted) = policy.current_key_id else { return };
    match survey.walk.key_at(survey.walk.events()) {
        Some((key_id, _)) if key_id == wanted => {
            findings.ok(Reason::PolicyKey, "the chain's key at its last row is the one the policy demands");
        }
        _ => findings.fail(Reason::PolicyKey, format!("policy demands that the chain's key now is {wanted}")),
    }
}

fn judge_age(
    what: &str,
    hours: Option<u64>,
    // Or why there is none.
    last: Result<Timestamp, &str>,
    now: Option<Timestamp>,
    findings: &mut Findings,
) {
    let Some(hours) = hours else { return };
    let last_and_now = last.and_then(|last| Ok((last, now.ok_or("the time now is unknown")?)));
    let (last, now) = match last_and_now {
        Ok(times) => times,
        Err(why) => {
            findings.fail(Reason::PolicyTime, format!("policy limits the age of the last {what}: {why}"));
            return;
        }
    };
    let detail = format!("policy allows {hours} hours from the last {what}, which is of {last}, to {now}");
    // A date in the future says nothing about age.
    let is_young = !is_ahead(last, now) && (last > now || hours_between(last, now) <= hours);
    if is_young { findings.ok(Reason::PolicyAge, detail) } else { findings.fail(Reason::PolicyAge, detail) }
}

fn judge_gaps(backups: &[Timestamp], hours: u64, findings: &mut Findings) {
    let mut flawless = true;
    for pair in backups.windows(2) {
        // Where time runs backwards, which is told, there is no gap.
        if pair[0] < pair[1] && hours_between(pair[0], pair[1]) > hours {
            flawless = false;
            let detail = format!("no backup completed between {} and {}", pair[0], pair[1]);
            findings.fail(Reason::PolicyGap, detail);
        }
    }
    if flawless {
        findings.ok(Reason::PolicyGap, format!("no more than {hours} hours between completed backups"));
    }
}

// Rounded up: an hour and a millisecond are two hours.
fn hours_between(earlier: Timestamp, later: Timestamp) -> u64 {
    later.unix_millis().abs_diff(earlier.unix_millis()).div_ceil(3_600_000)
}
