//! Looks at manifest and target together and says what a restore would do.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio_postgres::Client;
use walwarden_archive::{Entry, Toc};
use walwarden_verify::manifest::VerifiedManifest;

use super::stored::StoredDump;
use super::{Mode, RestorePlan, RestoreRequest, Scope, Spooling, load, target};
use crate::error::{Code, Error, Result};
use crate::source::{Server, TableName};

/// The plan of a restore whose manifest was checked. Changes nothing.
pub(super) async fn plan(request: RestoreRequest, manifest: VerifiedManifest) -> Result<RestorePlan> {
    let body = manifest.body();
    if body.encryption.is_some() {
        let message = format!("this version cannot decrypt dumps name={}", body.artifact_key);
        return Err(Error::new(Code::ArgumentInvalid, message));
    }
    let spools = spools(&request, body.index.is_some())?;
    let stored = stored(&request, &manifest).await?;
    let connection = target::session(&request.target).await?;
    let server = Server::of(&connection, &request.target).await.map_err(target::as_target)?;
    let mut notices = Vec::new();
    if let Some(stored) = &stored {
        let selected = stored.head.toc.select_and_tell(&request.whole_selection());
        if !selected.left_out.is_empty() {
            let named = selected.left_out.join(", ");
            notices.push(format!("left out, for it needs what was not selected: {named}"));
        }
        let alone = selected.lone_partitions.join(", ");
        match request.mode {
            _ if alone.is_empty() || request.scope == Scope::DataOnly => {}
            Mode::NewDatabase => notices.push(format!("partitions that become tables of their own: {alone}")),
            Mode::InPlace => {
                let message = format!(
                    "a partition cannot be dropped and made anew without the table it belongs to, name that: {alone}"
                );
                return Err(Error::new(Code::ArgumentInvalid, message));
            }
        }
    }
    let (dump_major, codec) = (major(&body.dump_version)?, body.compression.into());
    let choice = request.clients.choose_for_restore(dump_major, server.major, codec)?;
    if choice.expects_transaction_timeout_error {
        notices.push(format!(
            "pg_restore {} sets a parameter that server {} does not know; that one error is expected",
            choice.client.version(),
            server.version
        ));
    }
    let target_is_older = server.major < major(&body.server_version)?;
    if target_is_older {
        notices.push(format!(
            "the backup is of Postgres {}, the target is {}: what the older server does not know makes the restore fail",
            body.server_version, server.version
        ));
    }
    for left in target::left_behind(&connection).await? {
        notices
            .push(format!("an interrupted restore left the database {left:?} behind; drop it when unused"));
    }
    let mut in_one_transaction = false;
    let (database, dropped) = match request.mode {
        Mode::NewDatabase => {
            let name = request.created_database.clone().unwrap_or_else(|| body.database_name.clone());
            check_name_is_free(&connection, &name).await?;
            (name, Vec::new())
        }
        Mode::InPlace => {
            let database = server.database.clone();
            // That error would end a transaction.
            let drops = request.scope != Scope::DataOnly;
            // With an index the archive is cut anew, and drops no constraint of a partition by itself.
            let inherits =
                drops && stored.is_none() && target::has_inherited_constraints(&connection).await?;
            in_one_transaction = !(choice.expects_transaction_timeout_error || inherits);
            if !in_one_transaction {
                notices.push(
                    "this cannot happen in one transaction (inherited keys of partitions, or a pg_restore newer than the \
                     server): a restore that fails midway leaves the database half replaced"
                        .to_owned(),
                );
            }
            let mut relations = if drops { target::relations(&connection).await? } else { Vec::new() };
            if let Some(stored) = &stored {
                let selected = names(&stored.head.toc.select(&request.whole_selection()));
                if drops {
                    check_partitions(&connection, &selected).await?;
                }
                if !request.selection.is_everything() {
                    relations.retain(|(name, _)| selected.contains(name));
                }
            }
            (database, relations.into_iter().map(|(_, shown)| shown).collect())
        }
    };
    Ok(RestorePlan {
        target_version: server.version.clone(),
        client: choice.client.clone(),
        database,
        in_one_transaction,
        spools,
        stored,
        target_is_older,
        dropped,
        notices,
        manifest,
        request,
    })
}

/// Whether the dump has to be copied, or is to be.
fn spools(request: &RestoreRequest, has_index: bool) -> Result<bool> {
    let why = match request.mode {
        Mode::NewDatabase if has_index => None,
        Mode::NewDatabase => Some("this backup has no index, so that it can only be verified as a whole"),
        Mode::InPlace if request.scope == Scope::SchemaOnly && has_index => None,
        Mode::InPlace => {
            Some("pg_restore does all of an in-place restore in one transaction and reads a file")
        }
    };
    match (request.spooling, why) {
        (Spooling::Never, Some(why)) => {
            Err(Error::new(Code::ArgumentInvalid, format!("this restore needs the spool folder: {why}")))
        }
        (Spooling::Always, _) => Ok(true),
        (_, why) => Ok(why.is_some()),
    }
}

/// The stored dump, where the plan depends on what is in it: whatever was named has to be, and in place only what is in it may
/// be dropped.
async fn stored(request: &RestoreRequest, manifest: &VerifiedManifest) -> Result<Option<StoredDump>> {
    let is_everything = request.selection.is_everything();
    let looks = request.mode == Mode::InPlace && manifest.body().index.is_some();
    if is_everything && !looks {
        return Ok(None);
    }
    let stored = match StoredDump::open(Arc::clone(&request.from), manifest, request.jobs).await {
        // Damage is for the restore itself to find, which records it.
        Err(error)
            if is_everything && matches!(error.code(), Code::ArtifactMismatch | Code::ArchiveInvalid) =>
        {
            return Ok(None);
        }
        opened => opened?,
    };
    let unmatched = request.selection.unmatched(&stored.head.toc);
    if !unmatched.is_empty() {
        let message = format!("the backup does not hold what was named: {}", unmatched.join(", "));
        return Err(Error::new(Code::ArgumentInvalid, message));
    }
    if !is_everything && names(&stored.head.toc.select(&request.selection)).is_empty() {
        let message = "none of the tables that were named is in a schema that was named";
        return Err(Error::new(Code::ArgumentInvalid, message));
    }
    Ok(Some(stored))
}

/// A partition goes with its table. One that the backup does not hold would be gone for good.
async fn check_partitions(connection: &Client, restored: &BTreeSet<TableName>) -> Result<()> {
    let partitions = target::partitions(connection).await?;
    let lost =
        partitions.iter().filter(|(of, partition)| restored.contains(of) && !restored.contains(partition));
    let lost: Vec<String> = lost.map(|(_, partition)| partition.to_string()).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the target has partitions that the backup does not hold and that would go with their table, detach them first: {}",
        lost.join(", ")
    );
    Err(Error::new(Code::ArgumentInvalid, message))
}

/// Whatever has a schema and a name: tables, views and sequences among others.
fn names(toc: &Toc) -> BTreeSet<TableName> {
    let is_named = |entry: &&Entry| entry.schema.is_some() && entry.tag.is_some();
    toc.entries().iter().filter(is_named).map(load::name).collect()
}

async fn check_name_is_free(connection: &Client, name: &str) -> Result<()> {
    if target::exists(connection, name).await? {
        let message = format!("the target has a database of this name already database={name:?}");
        return Err(Error::new(Code::TargetExists, message));
    }
    if !target::may_create_databases(connection).await? {
        let message = format!("the role may not create databases (CREATEDB) database={name:?}");
        return Err(Error::new(Code::TargetPermission, message));
    }
    Ok(())
}

/// The major in a version as Postgres prints it, e.g. 17 of `17.11`.
fn major(version: &str) -> Result<u32> {
    let digits = version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().map_err(|_| {
        Error::new(
            Code::ManifestInvalid,
            format!("the manifest names a version that has no number version={version:?}"),
        )
    })
}
