//! `walwarden witness`.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use walwarden_core::clock::{Clock as _, SystemClock, SystemRandom};
use walwarden_core::new_file::{failed, publish, staged};
use walwarden_core::verify::checkpoint::Checkpoint;
use walwarden_core::verify::key::PublicKey;
use walwarden_core::verify::{Report, Verifier, printable};
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
            let lines: String =
                seen.iter().map(|seen| format!("\n{} {}", seen.size, printable(&seen.origin))).collect();
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
    // Once to know how long it is, and once more for the proof.
    let found = verified(&verifier, bundle)?;
    // Auditors would find this witness's own time to contradict it.
    if let Some(at) = found.last_dated_at.filter(|_| found.is_ahead_of(SystemClock.now())) {
        let why = format!("it is dated {at}, more than an hour after this clock: compare the clocks");
        return Err(refused(bundle, &why));
    }
    let seen = witness.seen().await?;
    let last = seen.iter().find(|last| last.origin == log.origin()).map_or(0, |last| last.size);
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
    Ok(Log::new(&cosign.origin, keys))
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

const MAX_CHECKPOINT_BYTES: u64 = 1 << 20;
