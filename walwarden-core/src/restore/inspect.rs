//! Looks at manifest and target together and says what a restore would do.

use walwarden_verify::manifest::VerifiedManifest;

use super::{Mode, RestorePlan, RestoreRequest, target};
use crate::error::{Code, Error, Result};
use crate::source::{self, Connection};

/// The plan of a restore whose manifest was checked. Changes nothing.
pub(super) async fn plan(request: RestoreRequest, manifest: VerifiedManifest) -> Result<RestorePlan> {
    let body = manifest.body();
    if body.encryption.is_some() {
        let message = format!("this version cannot decrypt dumps name={}", body.artifact_key);
        return Err(Error::new(Code::ArgumentInvalid, message));
    }
    let connection = Connection::open(&request.target).await.map_err(source::as_target)?;
    let server = connection.server();
    let mut notices = Vec::new();
    let choice = request.clients.choose_for_restore(&body.dump_version, server.major)?;
    if choice.expects_unknown_setting {
        notices.push(format!(
            "pg_restore {} sets a parameter that server {} does not know; that one error is expected",
            choice.client.version, server.version
        ));
    }
    let (database, dropped) = match request.mode {
        Mode::NewDatabase => {
            let name = request.created_database.clone().unwrap_or_else(|| body.database_name.clone());
            check_name_is_free(&connection, &name).await?;
            for left in target::left_behind(connection.client()).await? {
                notices.push(format!("an interrupted restore left the database {left:?} behind; drop it when unused"));
            }
            (name, Vec::new())
        }
        Mode::InPlace => {
            let database = server.database.clone();
            if request.jobs > 1 {
                notices.push("with more than one job a failed restore leaves the database half replaced".to_owned());
            }
            (database, target::relations(connection.client()).await?)
        }
    };
    Ok(RestorePlan {
        target_version: server.version.clone(),
        client: choice.client.pg_restore(),
        client_version: choice.client.version.clone(),
        database,
        dropped,
        notices,
        manifest,
        request,
    })
}

async fn check_name_is_free(connection: &Connection, name: &str) -> Result<()> {
    if target::exists(connection.client(), name).await? {
        let message = format!("the target has a database of this name already database={name:?}");
        return Err(Error::new(Code::TargetExists, message));
    }
    if !target::may_create_databases(connection.client()).await? {
        let message = format!("the role may not create databases (CREATEDB) database={name:?}");
        return Err(Error::new(Code::TargetPermission, message));
    }
    Ok(())
}
