//! `walwarden backup run`.

use walwarden_core::backup::{BackupRequest, BackupRunner as _};
use walwarden_core::engine::Engine;
use walwarden_core::source::Dsn;
use walwarden_core::storage::{Location, Patience};
use walwarden_core::verify::{DatabaseId, Sha256};
use walwarden_core::watch::Cancel;
use walwarden_core::{Code, Error, Result};

use crate::arguments::BackupRun;
use crate::exit::{DONE, Ending};
use crate::home::{Home, dump_options};
use crate::output::{JobWatch, Output, bytes};
use crate::settings::{DatabaseSettings, DumpSettings};
use crate::signals::unless_signalled;

pub(super) async fn run(arguments: BackupRun, home: &Home, output: Output, cancel: &Cancel) -> Ending {
    let (engine, mut request) = unless_signalled(cancel, request(arguments, home, output)).await?;
    request.cancel = cancel.clone();
    let watch = JobWatch::new(output);
    let sealed = engine.backup().run(request, &watch).await?;
    if !output.is_json() {
        let manifest = sealed.manifest.body();
        output.line(format_args!(
            "\ndatabase  {}\nmanifest  {}\ndump      {} in {}\nnext: walwarden restore --manifest {} --target DSN --mode new_database",
            manifest.database_id,
            sealed.manifest_sha256,
            bytes(manifest.size_bytes),
            watch.elapsed(),
            sealed.manifest_sha256,
        ))?;
    }
    Ok(DONE)
}

/// Everything that can be known to be wrong before there is a job is refused here.
async fn request(arguments: BackupRun, home: &Home, output: Output) -> Result<(Engine, BackupRequest)> {
    let given = DumpSettings::from(arguments.dump);
    let (id, source, destination, dump) = match (arguments.to, arguments.database) {
        (Some(to), name) => {
            let dsn = (arguments.dsn.as_deref(), arguments.dsn_env.as_deref());
            let source = home.dsn_given("--dsn", dsn.0, dsn.1, output)?;
            let id = match name {
                Some(name) => not_another(name, &source, &to, home)?,
                None => id_of(&source)?,
            };
            (id, source, to, given)
        }
        (None, Some(name)) => {
            let database: &DatabaseSettings = home.database(&name)?;
            let dump = database.dump.overridden_by(given);
            (name, home.source(database)?, database.destination.clone(), dump)
        }
        (None, None) => return Err(Error::new(Code::ArgumentInvalid, "give --database, or --dsn and --to")),
    };
    let options = dump_options(&dump)?;
    let engine = home.signing_engine().await?;
    let destination = home.backup_destination(&id, &destination, Patience::default()).await?;
    let clients = home.clients().await;
    // Of whatever major: the server has not been asked for its own yet.
    clients.choose_for_dump(0, options.compression.map(|compression| compression.codec))?;
    let mut request = BackupRequest::new(id, source, clients, destination);
    request.options = options;
    request.globals = dump.globals;
    request.jobs = dump.jobs.unwrap_or(1) as usize;
    Ok((engine, request))
}

/// The name, unless it is that of a configured database that lies elsewhere: one chain tells of one database.
fn not_another(name: DatabaseId, source: &Dsn, to: &str, home: &Home) -> Result<DatabaseId> {
    let Ok(configured) = home.database(&name) else { return Ok(name) };
    let same_source = home.source(configured).is_ok_and(|known| place(&known) == place(source));
    if same_source && Location::parse(to)? == Location::parse(&configured.destination)? {
        return Ok(name);
    }
    let message = format!(
        "this name is configured with another source or destination; give another --database, or leave --dsn and --to \
         out name={name}"
    );
    Err(Error::new(Code::ArgumentInvalid, message))
}

/// The id of a database that is not configured: its name inside Postgres, lower-cased, with a hyphen for everything
/// else than `a-z` and `0-9`, and a digest of where it is, so that databases of one name on two servers stay apart.
fn id_of(source: &Dsn) -> Result<DatabaseId> {
    let slug: String = source
        .dbname()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(SLUG_LENGTH)
        .collect();
    let slug = slug.trim_matches('-');
    let (host, port, dbname) = place(source);
    let place = Sha256::of(format!("{host}:{port}/{dbname}").as_bytes()).to_string();
    let id = if slug.is_empty() { String::new() } else { format!("{slug}-{}", &place[..8]) };
    id.parse().map_err(|_| {
        let message = "no id can be made of the database's name; name one with --database";
        Error::new(Code::ArgumentInvalid, message)
    })
}

/// Where a database is, as far as its connection string tells.
fn place(source: &Dsn) -> (String, u16, &str) {
    (source.host().to_ascii_lowercase(), source.port(), source.dbname())
}

/// With the digest an id stays well below the length that ids may have.
const SLUG_LENGTH: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_of_the_databases_name_and_place() {
        let id = |dsn: &str| id_of(&Dsn::parse(dsn).unwrap()).map(|id| id.to_string());
        let named = |name: &str| id(&format!("dbname='{name}'")).map(|id| id[..id.len() - 8].to_owned());
        assert_eq!(named("shop").unwrap(), "shop-");
        assert_eq!(named("My_Shop 2").unwrap(), "my-shop-2-");
        assert_eq!(named("_Größe").unwrap(), "gr--e-");
        assert_eq!(named(&"x".repeat(63)).unwrap(), format!("{}-", "x".repeat(40)));
        assert_eq!(named("日本").unwrap_err().code(), Code::ArgumentInvalid);
        let one = id("postgres://u:a@one/shop").unwrap();
        assert_eq!(one, id("host=ONE port=5432 user=v password=b dbname=shop").unwrap());
        assert_ne!(one, id("postgres://u:a@two/shop").unwrap());
        assert_ne!(one, id("postgres://u:a@one:5433/shop").unwrap());
    }
}
