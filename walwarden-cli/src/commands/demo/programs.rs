//! Finds the PostgreSQL server programs.

use std::path::{Path, PathBuf};

use walwarden_core::{Code, Error, Result};

use crate::environment::Environment;

/// All that the demo runs, which must lie in one folder so that the versions agree.
const PROGRAMS: [&str; 6] = ["initdb", "postgres", "pg_ctl", "psql", "pg_dump", "pg_restore"];

/// The folder with the server programs: the given one, or the first complete one of those in
/// `WALWARDEN_CLIENT_DIRS`, `PATH` and the usual places, newest major first.
///
/// # Errors
/// `client-missing` when there is none.
pub(super) fn find(given: Option<&Path>, environment: &Environment) -> Result<PathBuf> {
    if let Some(dir) = given {
        return match missing_in(dir) {
            None => Ok(dir.to_owned()),
            Some(program) => Err(Error::new(
                Code::ClientMissing,
                format!("folder lacks a PostgreSQL program folder={} program={program}", dir.display()),
            )),
        };
    }
    let mut candidates = environment.paths("WALWARDEN_CLIENT_DIRS").unwrap_or_default();
    candidates.extend(environment.paths("PATH").unwrap_or_default());
    candidates.extend(usual_places());
    candidates.into_iter().find(|dir| missing_in(dir).is_none()).ok_or_else(|| {
        Error::new(
            Code::ClientMissing,
            "no folder with initdb, postgres, psql and pg_dump was found; on Debian: apt-get install postgresql, \
             elsewhere name the folder with --bin-dir",
        )
    })
}

fn missing_in(dir: &Path) -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| !dir.join(program).is_file())
}

fn usual_places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    for major in (14..=30).rev() {
        places.extend([
            PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")),
            PathBuf::from(format!("/usr/pgsql-{major}/bin")),
            PathBuf::from(format!("/opt/homebrew/opt/postgresql@{major}/bin")),
            PathBuf::from(format!("/usr/local/opt/postgresql@{major}/bin")),
        ]);
    }
    places.push(PathBuf::from("/usr/local/pgsql/bin"));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_folder_is_refused_with_the_missing_program() {
        let folder = tempfile::tempdir().unwrap();
        for program in PROGRAMS.iter().filter(|program| **program != "psql") {
            std::fs::write(folder.path().join(program), "").unwrap();
        }
        let error = find(Some(folder.path()), &Environment::of(&[])).unwrap_err();
        assert_eq!(error.code(), Code::ClientMissing);
        assert!(error.to_string().ends_with("program=psql"), "{error}");
        let path = folder.path().to_str().unwrap();
        std::fs::write(folder.path().join("psql"), "").unwrap();
        assert_eq!(find(None, &Environment::of(&[("PATH", path)])).unwrap(), folder.path());
    }
}
