//! `walwarden key`.

use serde_json::json;
use walwarden_core::clock::SystemRandom;
use walwarden_core::manifest::{FileKey, ManifestSigner as _};
use walwarden_core::{Code, Result};

use crate::arguments::KeyCommand;
use crate::exit::{DONE, Ending};
use crate::home::Home;
use crate::output::Output;

pub(crate) fn run(command: &KeyCommand, home: &Home, output: Output) -> Ending {
    let path = home.key_file();
    let key = match command {
        KeyCommand::Generate => {
            home.create()?;
            FileKey::generate(&path, &SystemRandom)?
        }
        KeyCommand::Show { .. } => FileKey::load(&path)?,
    };
    let public = key.public_key();
    let data = json!({
        "keyFile": path, "keyId": public.key_id().to_string(), "publicKey": public.to_pem(),
    });
    if matches!(command, KeyCommand::Show { pem: true }) {
        output.result(public.to_pem(), &data)?;
    } else {
        let text =
            format!("key file  {}\nkey id    {}\n{}", path.display(), public.key_id(), public.to_pem());
        output.result(text, &data)?;
    }
    Ok(DONE)
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
