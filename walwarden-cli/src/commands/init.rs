//! `walwarden init`.

use serde_json::json;
use walwarden_core::Result;
use walwarden_core::manifest::ManifestSigner as _;

use super::key;
use crate::exit::{DONE, Ending};
use crate::home::Home;
use crate::output::Output;
use crate::settings;

pub(crate) fn run(home: &Home, output: Output) -> Ending {
    home.create()?;
    let settings_made = settings_unless_present(home)?;
    let (key, key_made) = key::load_or_generate(home)?;
    let key_id = key.public_key().key_id();
    let data = json!({
        "home": home.dir(),
        "settingsFile": home.settings_file(), "settingsCreated": settings_made,
        "keyFile": home.key_file(), "keyCreated": key_made, "keyId": key_id.to_string(),
    });
    let made = |made: bool| if made { "made" } else { "kept" };
    output.result(
        format_args!(
            "home      {}\nsettings  {} ({})\nkey       {} ({})\nkey id    {key_id}\n\n{NEXT}",
            home.dir().display(),
            home.settings_file().display(),
            made(settings_made),
            home.key_file().display(),
            made(key_made),
        ),
        &data,
    )?;
    Ok(DONE)
}

fn settings_unless_present(home: &Home) -> Result<bool> {
    let path = home.settings_file();
    if settings::load(&path)?.is_some() {
        return Ok(false);
    }
    let mut absent = true;
    settings::change(&path, |text| {
        absent = text.is_none();
        Ok(text.unwrap_or_else(|| settings::TEMPLATE.to_owned()))
    })?;
    Ok(absent)
}

const NEXT: &str = "\
Keep a copy of the key file in a safe place: nothing else can sign for these chains.
Hand the public part to whoever is to check your backups: walwarden key show --pem
next: walwarden database add NAME --dsn DSN --destination URL";
