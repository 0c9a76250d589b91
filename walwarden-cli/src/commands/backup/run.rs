//! `walwarden backup run`.

use walwarden_core::backup::{BackupRequest, BackupRunner as _};
use walwarden_core::engine::Engine;
use walwarden_core::source::Dsn;
use walwarden_core::verify::DatabaseId;
use walwarden_core::{Code, Error, Result};

use crate::arguments::BackupRun;
use crate::exit::{DONE, Ending};
use crate::home::{Home, dump_options};
use crate::output::{JobWatch, Output, bytes};
use crate::settings::{DatabaseSettings, DumpSettings};
use crate::signals::cancel_on_signal;

pub(super) async fn run(arguments: BackupRun, home: &Home, output: Output) -> Ending {
    let (engine, mut request) = request(arguments, home).await?;
    request.cancel = cancel_on_signal(output)?;
    let watch = JobWatch::new(output);
    let sealed = engine.backup().run(request, &watch).await?;
    if !output.is_json() {
        let manifest = sealed.manifest.body();
        output.line(format_args!(
            "\nmanifest  {}\ndump      {} in {}\nnext: walwarden restore --manifest {} --target DSN --mode new_database",
            sealed.manifest_sha256,
            bytes(manifest.size_bytes),
            watch.elapsed(),
            sealed.manifest_sha256,
        ))?;
    }
    Ok(DONE)
}

async fn request(arguments: BackupRun, home: &Home) -> Result<(Engine, BackupRequest)> {
    let given = DumpSettings::from(arguments.dump);
    let (id, source, destination, dump) = match (arguments.dsn, arguments.to, arguments.database) {
        (Some(dsn), Some(to), name) => {
            let source = home.dsn(&dsn)?;
            let id = match name {
                Some(name) => name,
                None => id_of(&source)?,
            };
            (id, source, to, given)
        }
        (_, _, Some(name)) => {
            let database: &DatabaseSettings = home.database(&name)?;
            let dump = database.dump.overridden_by(given);
            (name, home.source(database)?, database.destination.clone(), dump)
        }
        _ => return Err(Error::new(Code::ArgumentInvalid, "give --database, or --dsn and --to")),
    };
    let options = dump_options(&dump)?;
    let engine = home.signing_engine().await?;
    let destination = home.destination(&destination).await?;
    let mut request = BackupRequest::new(id, source, home.clients().await, destination);
    request.options = options;
    request.globals = dump.globals;
    Ok((engine, request))
}

/// The id of a database that is not configured: its name inside Postgres, lower-cased, with a hyphen for everything
/// else than `a-z` and `0-9`.
fn id_of(source: &Dsn) -> Result<DatabaseId> {
    let slug: String = source
        .dbname()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    slug.trim_matches('-').parse().map_err(|_| {
        let message = "no id can be made of the database's name; name one with --database";
        Error::new(Code::ArgumentInvalid, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_of_the_databases_name() {
        let id =
            |name: &str| id_of(&Dsn::parse(&format!("dbname='{name}'")).unwrap()).map(|id| id.to_string());
        assert_eq!(id("shop").unwrap(), "shop");
        assert_eq!(id("My_Shop 2").unwrap(), "my-shop-2");
        assert_eq!(id("_Größe").unwrap(), "gr--e");
        assert_eq!(id("日本").unwrap_err().code(), Code::ArgumentInvalid);
    }
}
