//! `walwarden witness`.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use walwarden_core::clock::{Clock as _, SystemClock, SystemRandom};
use walwarden_core::new_file::{failed, publish, staged};
use walwarden_core::verify::checkpoint::{self, Checkpoint};
use walwarden_core::verify::key::PublicKey;
use walwarden_core::verify::{Report, Timestamp, Verifier};
use walwarden_core::witness::{Log, Witness};
use walwarden_core::{Code, Error, Result};

use crate::arguments::{WitnessCommand, WitnessCosign};
use crate::exit::{DONE, Ending};
use crate::output::Output;
use walwarden_verifier::verify_file;

pub(crate) async fn run(command: WitnessCommand, output: Output) -> Ending {
    match command {
        WitnessCommand::Init(init) => {
            let folder = &init.place.state;
            let witness = Witness::create(folder, &init.name, &SystemRandom, Arc::new(SystemClock))?;
            let vkey = witness.vkey().to_string();
            output.result(&vkey, &json!({ "state": folder, "vkey": vkey }))?;
        }
        WitnessCommand::Cosign(cosign) => return cosigned(&cosign, output).await,
        WitnessCommand::Show(place) => {
            let witness = open(&place.state)?;
            let seen = witness.seen().await?;
            let lines: String = seen.iter().map(|seen| format!("\n{} {}", seen.size, seen.origin)).collect();
            let data = json!({
                "vkey": witness.vkey().to_string(), "logs": seen.iter().map(described).collect::<Vec<_>>(),
            });
            output.result(format_args!("{}{lines}", witness.vkey()), &data)?;
        }
    }
    Ok(DONE)
}

async fn cosigned(cosign: &WitnessCosign, output: Output) -> Ending {
    let witness = open(&cosign.place.state)?;
    let log = log(cosign)?;
    let request = match (&cosign.bundle, &cosign.checkpoint) {
        (Some(bundle), _) => request_of(bundle, &log, &witness).await?,
        (None, Some(checkpoint)) => read(checkpoint)?,
        (None, None) => return Err(Error::new(Code::ArgumentInvalid, "no checkpoint is named").into()),
    };
    let draft = cosign.out.as_deref().map(staged).transpose()?;
    let done = witness.cosign(&request, &log).await?;
    if let (Some(mut draft), Some(path)) = (draft, &cosign.out) {
        draft.write_all(done.note.as_bytes()).map_err(|error| failed(path, error))?;
        publish(draft, path)?;
    }
    let data = json!({
        "checkpoint": described(&done.checkpoint), "before": done.before, "cosignature": done.line, "note": done.note,
    });
    output.result(done.line.trim_end_matches('\n'), &data)?;
    Ok(DONE)
}

/// The checkpoint of a bundle that verifies, with the proof from the one that this witness cosigned last.
async fn request_of(bundle: &Path, log: &Log, witness: &Witness) -> Result<Vec<u8>> {
    let verifier = log.keys().iter().fold(Verifier::new(), |verifier, key| verifier.with_key(*key));
    // Once to know which log it is and how long, and once more for the proof.
    let found = verified(&verifier, bundle)?;
    if let Some(why) = found.last_row_at.and_then(|at| ahead(at, SystemClock.now())) {
        return Err(refused(bundle, &why));
    }
    let origin = found.org_id.as_ref().zip(found.chain_id).map(|(org, chain)| checkpoint::origin(org, chain));
    let seen = witness.seen().await?;
    let last = seen.iter().find(|last| Some(&last.origin) == origin.as_ref()).map_or(0, |last| last.size);
    let found = verified(&verifier.with_request(last, found.events), bundle)?;
    let request = found.request.ok_or_else(|| refused(bundle, "it changed while it was verified"))?;
    Ok(request.to_text().into_bytes())
}

fn verified(verifier: &Verifier, bundle: &Path) -> Result<Report> {
    let report = verify_file(verifier, bundle).map_err(|error| {
        let message = format!("bundle cannot be read path={} cause={error}", bundle.display());
        Error::new(Code::FileFailed, message)
    })?;
    let failure = report.failures().next().map(ToString::to_string);
    failure.map_or(Ok(report), |failure| Err(refused(bundle, &failure)))
}

/// Why rows are not cosigned that this witness's clock has yet to reach: auditors would find its own time to contradict them.
fn ahead(last_row_at: Timestamp, now: Timestamp) -> Option<String> {
    let is_ahead = last_row_at.unix_millis() - now.unix_millis() > SLACK_MILLIS;
    is_ahead.then(|| format!("its last row is dated {last_row_at}, and it is {now}: compare the clocks"))
}

fn refused(bundle: &Path, why: &str) -> Error {
    let message = format!("the bundle's checkpoint is not cosigned path={} cause={why}", bundle.display());
    Error::new(Code::CheckpointInvalid, message)
}

fn open(folder: &Path) -> Result<Witness> {
    Witness::open(folder, Arc::new(SystemClock))
}

fn described(checkpoint: &Checkpoint) -> Value {
    json!({
        "origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.to_string(),
    })
}

fn log(cosign: &WitnessCosign) -> Result<Log> {
    let mut keys = Vec::new();
    for path in &cosign.pubkey {
        let about = |what: &str| format!("{what} path={}", path.display());
        let text = fs::read_to_string(path).map_err(|error| {
            Error::new(Code::FileFailed, about("public key cannot be read")).with_source(error)
        })?;
        let found = PublicKey::several_from_pem(&text).map_err(|error| {
            Error::new(Code::KeyInvalid, about("this is no public key")).with_source(error)
        })?;
        keys.extend(found);
    }
    match (&cosign.origin, keys.as_slice()) {
        (Some(origin), _) => Ok(Log::named(origin, keys)),
        (None, [key]) => Ok(Log::signed_by(*key)),
        (None, _) => {
            let message = "several keys are named, and each could sign in the name of the other's log: name the log with --origin";
            Err(Error::new(Code::ArgumentInvalid, message))
        }
    }
}

/// A file that is no checkpoint may be of any length: not more than one can have is read.
fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = MAX_CHECKPOINT_BYTES + 1;
    let read = match path.to_str() {
        Some("-") => io::stdin().lock().take(limit).read_to_end(&mut bytes),
        _ => fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    read.map_err(|error| {
        Error::new(Code::FileFailed, format!("checkpoint cannot be read path={}", path.display()))
            .with_source(error)
    })?;
    Ok(bytes)
}

/// Clocks may be apart by an hour, as `walwarden-verify` has it for what is dated after a cosignature.
const SLACK_MILLIS: i64 = 3_600_000;
const MAX_CHECKPOINT_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_what_clocks_may_be_apart() {
        let ahead = |row: &str| ahead(row.parse().unwrap(), "2026-03-02T01:00:00.000Z".parse().unwrap());
        assert_eq!(ahead("2026-03-02T00:00:00.000Z"), None);
        assert_eq!(ahead("2026-03-02T02:00:00.000Z"), None);
        assert!(ahead("2026-03-02T02:00:00.001Z").unwrap().contains("compare the clocks"));
    }
}
