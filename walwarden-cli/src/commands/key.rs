//! `walwarden key`.

use serde_json::{Value, json};
use walwarden_core::clock::SystemRandom;
use walwarden_core::keys::{KeyChange, KeyOutcome};
use walwarden_core::manifest::{FileKey, ManifestSigner as _};
use walwarden_core::verify::KeyId;
use walwarden_core::{Code, Result};

use crate::arguments::KeyCommand;
use crate::exit::{DONE, Ending};
use crate::home::Home;
use crate::output::Output;

pub(crate) async fn run(command: &KeyCommand, home: &Home, output: Output) -> Ending {
    match command {
        KeyCommand::Generate => {
            home.create()?;
            show(&FileKey::generate(&home.key_file(), &SystemRandom)?, false, home, output)
        }
        KeyCommand::Show { pem } => show(&home.key()?, *pem, home, output),
        KeyCommand::Rotate => rotate(home, output).await,
        KeyCommand::Revoke { key_id, reason } => revoke(*key_id, reason, home, output).await,
    }
}

fn show(key: &FileKey, pem: bool, home: &Home, output: Output) -> Ending {
    let (path, public) = (home.key_file(), key.public_key());
    let place = home.key_place();
    let next = place.load()?.1.map(|next| next.public_key().key_id().to_string());
    let former: Vec<String> = place.retired()?.iter().map(|key| key.key_id().to_string()).collect();
    let data = json!({
        "keyFile": path, "keyId": public.key_id().to_string(), "publicKey": public.to_pem(), "nextKeyId": next,
        "formerKeyIds": former,
    });
    if pem {
        output.result(public.to_pem(), &data)?;
        return Ok(DONE);
    }
    let mut text = format!("key file  {}\nkey id    {}\n", path.display(), public.key_id());
    for former in &former {
        text.push_str(&format!("former    {former}\n"));
    }
    if let Some(next) = next {
        text.push_str(&format!(
            "next      {next}: run `walwarden key rotate` once more to complete the rotation\n"
        ));
    }
    output.result(text + &public.to_pem(), &data)?;
    Ok(DONE)
}

/// First the chains, then the file: wherever this is interrupted, each chain's key is at hand.
async fn rotate(home: &Home, output: Output) -> Ending {
    let succession = home.key_place().begin(&SystemRandom)?;
    let engine = home.signing_engine().await?;
    let changes = engine.keys().rotate().await?;
    let (old, new) = home.key_place().load()?;
    let former = succession.finish()?;
    let new = new.unwrap_or(home.key()?);
    let (old, new) = (old.public_key().key_id(), new.public_key());
    let data = json!({
        "oldKeyId": old.to_string(), "newKeyId": new.key_id().to_string(), "publicKey": new.to_pem(),
        "formerKeyFile": former, "chains": changes.iter().map(described).collect::<Vec<_>>(),
    });
    let text = format!(
        "{}old key   {old}\nnew key   {}\n{}kept      {}: the old private key; remove it once each database was backed up \
         again\nnext: back up each database, so that its destination holds the rotation too",
        told(&changes),
        new.key_id(),
        new.to_pem(),
        former.display(),
    );
    output.result(text, &data)?;
    Ok(DONE)
}

async fn revoke(key_id: KeyId, reason: &str, home: &Home, output: Output) -> Ending {
    let engine = home.engine().await?;
    let changes = engine.keys().revoke(key_id, reason).await?;
    home.key_place().distrust(key_id)?;
    let data = json!({
        "keyId": key_id.to_string(), "chains": changes.iter().map(described).collect::<Vec<_>>(),
    });
    let text = format!(
        "{}revoked   {key_id}\nA restore of a backup that it signed takes --pubkey from now on.\nnext: back up each database, so \
         that its destination holds the revocation too",
        told(&changes),
    );
    output.result(text, &data)?;
    Ok(DONE)
}

fn told(changes: &[KeyChange]) -> String {
    let line = |change: &KeyChange| {
        let database = change.subject.database_id.as_ref().map_or("the organisation", |id| id.as_str());
        match change.outcome {
            KeyOutcome::Recorded(seq) => format!("recorded  {database}, row {seq}\n"),
            KeyOutcome::OtherKey(key_id) => format!("left      {database}, which goes on with {key_id}\n"),
            _ => format!("recorded  {database}, before\n"),
        }
    };
    changes.iter().map(line).collect()
}

fn described(change: &KeyChange) -> Value {
    let (outcome, seq, other) = match change.outcome {
        KeyOutcome::Recorded(seq) => ("recorded", Some(seq), None),
        KeyOutcome::OtherKey(key_id) => ("other_key", None, Some(key_id.to_string())),
        _ => ("already_recorded", None, None),
    };
    let database = change.subject.database_id.as_ref().map(ToString::to_string);
    json!({ "database": database, "outcome": outcome, "seq": seq, "keyId": other })
}

/// The key, and whether it had to be made.
pub(super) fn load_or_generate(home: &Home) -> Result<(FileKey, bool)> {
    let path = home.key_file();
    match FileKey::load(&path) {
        Err(error) if error.code() == Code::KeyMissing => {
            Ok((FileKey::generate(&path, &SystemRandom)?, true))
        }
        loaded => Ok((loaded?, false)),
    }
}
