//! What is fetched and compared before the target is touched.

use std::path::Path;
use std::sync::Arc;

use walwarden_archive::{Selection, Toc};

use super::check::Expectation;
use super::spool::{self, SpooledDump, VerifiedArchive, VerifiedPath};
use super::stored::StoredDump;
use super::{Check, Mode, RestorePlan, RestoreRequest, Scope, contents};
use crate::error::Result;
use crate::watch::Watch;

/// Everything a restore works with.
#[derive(Debug)]
pub(super) struct Prepared {
    /// What `pg_restore` reads.
    pub(super) archive: VerifiedArchive,
    /// Where the rows come from, if not from the archive.
    pub(super) rows: Option<StoredRows>,
    /// What the restored tables are compared with.
    pub(super) expectation: Option<Expectation>,
}

/// A dump in the store, and which of its entries are restored.
#[derive(Debug)]
pub(super) struct StoredRows {
    pub(super) dump: StoredDump,
    pub(super) toc: Toc,
    /// An archive with what else is in the data section.
    pub(super) rest: VerifiedPath,
}

/// What was fetched of a dump.
#[derive(Debug)]
pub(super) enum Fetched {
    /// All, not compared yet.
    Whole(SpooledDump),
    /// Some of it, or nothing but its definitions; compared piece by piece.
    Part { archive: VerifiedArchive, dump: StoredDump, toc: Toc, rest: Option<VerifiedPath> },
}

/// Fetches what has to be there before the target is touched.
pub(super) async fn fetch(plan: &RestorePlan, spool_dir: &Path, watch: &dyn Watch) -> Result<Fetched> {
    let request = &plan.request;
    if plan.spools && plan.stored.is_none() {
        let (from, body) = (request.from.as_ref(), plan.manifest.body());
        return Ok(Fetched::Whole(spool::fetch(from, body, spool_dir, &request.cancel, watch).await?));
    }
    let dump = match &plan.stored {
        Some(stored) => stored.clone(),
        None => StoredDump::open(Arc::clone(&request.from), &plan.manifest, request.jobs).await?,
    };
    let toc = plan.selected(&dump.head.toc);
    let (archive, rest) = if plan.spools && request.scope != Scope::SchemaOnly {
        (spool::with_blocks(&dump, &toc, spool_dir, &request.cancel, watch).await?, None)
    } else {
        let (archive, rest) = spool::without_rows(&dump, &toc, spool_dir).await?;
        (archive, (request.scope == Scope::All).then_some(rest))
    };
    Ok(Fetched::Part { archive, dump, toc, rest })
}

impl Fetched {
    /// Compares it with the manifest, and makes ready what comes after.
    pub(super) async fn verify(self, plan: &RestorePlan) -> Result<Prepared> {
        let request = &plan.request;
        match self {
            Fetched::Whole(dump) => {
                let archive = dump.verify(plan.manifest.body(), &request.cancel).await?;
                let head = archive.head().await?;
                archive.cut_definitions(&head).await?;
                // An index that was altered is found before the target is touched.
                let expectation = match plan.manifest.body().index {
                    Some(_) if plan.compares() => {
                        let index = contents::index(request.from.as_ref(), &plan.manifest).await?;
                        Some(Expectation::new(&index, &head.toc, &head.toc)?)
                    }
                    _ => None,
                };
                Ok(Prepared { archive, rows: None, expectation })
            }
            Fetched::Part { archive, dump, toc, rest } => {
                let expected = plan.compares().then(|| Expectation::new(&dump.index, &dump.head.toc, &toc));
                let expectation = expected.transpose()?;
                let rows = rest.map(|rest| StoredRows { dump, toc, rest });
                Ok(Prepared { archive, rows, expectation })
            }
        }
    }
}

impl RestorePlan {
    /// Whether restored rows are compared with the index, if there is one.
    fn compares(&self) -> bool {
        self.request.check != Check::None && self.request.scope != Scope::SchemaOnly
    }

    /// The entries that are restored.
    fn selected(&self, toc: &Toc) -> Toc {
        toc.select(&self.request.whole_selection())
    }
}

impl RestoreRequest {
    /// The selection with all that makes a table whole and, in a new database, possible.
    pub(super) fn whole_selection(&self) -> Selection {
        let selection = self.selection.clone();
        match (self.mode, self.scope) {
            (_, Scope::DataOnly) => selection,
            (Mode::NewDatabase, _) => selection.with_belongings().with_dependencies(),
            (Mode::InPlace, _) => selection.with_belongings(),
        }
    }
}
