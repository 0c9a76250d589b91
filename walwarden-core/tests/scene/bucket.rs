//! An installation whose destination is the S3 server of the test process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use walwarden_core::clock::SystemRandom;
use walwarden_core::source::{Codec, Compression};
use walwarden_core::storage::{Location, Options, Patience, Storage, open};
use walwarden_testkit::postgres::shared;
use walwarden_testkit::storage::S3Server;
use walwarden_testkit::torture::Torture;

use super::{Home, Setup};

/// A storage with short pauses, so that tests are quick.
pub async fn storage(location: &Location, options: Options) -> Arc<dyn Storage> {
    let patience = Patience {
        tries: 4,
        first_pause: Duration::from_millis(2),
        limit: Duration::from_secs(10),
        silence: Duration::from_millis(500),
    };
    open(location, &options.with_patience(patience), Arc::new(SystemRandom)).await.unwrap()
}

/// Opens the installation in `folder` with a prefix of the server's bucket as its destination.
pub async fn home(folder: &Path, server: &S3Server, prefix: &str) -> Home {
    let storage = storage(&server.location(prefix), server.options()).await;
    Home::set_up(folder, Setup { storage: Some(storage), ..Setup::default() }).await
}

/// A database whose uncompressed dump has about 20 MB: several parts of an upload.
pub async fn large_database() -> String {
    let name = shared(17).fresh_database("large").await;
    shared(17).sql(&name, &Torture { bulk_rows: 18_000, ..Torture::default() }.sql()).await;
    shared(17).dsn(&name)
}

pub const UNCOMPRESSED: Compression = Compression { codec: Codec::None, level: None };
