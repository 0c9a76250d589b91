//! A bundle that changes between two readings: a file under its author's hands, or one that answers as it likes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "of the shared evidence only a part is needed")]

mod support;

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use support::{Evidence, expect, job};
use walwarden_verify::Budget;

/// Shows the next version each time it is read from the beginning, and the last one for ever.
struct Changing {
    versions: Vec<Vec<u8>>,
    readings: usize,
    position: usize,
}

impl Changing {
    fn new(versions: &[&Evidence]) -> Self {
        Changing {
            versions: versions.iter().map(|evidence| evidence.tgz()).collect(),
            readings: 0,
            position: 0,
        }
    }

    fn now(&self) -> &[u8] {
        &self.versions[self.readings.saturating_sub(1).min(self.versions.len() - 1)]
    }
}

impl Read for Changing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = &self.now()[self.position..];
        let count = rest.read(buffer)?;
        self.position += count;
        Ok(count)
    }
}

impl Seek for Changing {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(0) => {
                self.readings += 1;
                self.position = 0;
                Ok(0)
            }
            SeekFrom::End(0) => Ok(self.versions[0].len() as u64),
            _ => panic!("the verifier reads from the beginning only"),
        }
    }
}

/// Nothing is kept in memory, so that documents are read again, as those of a large bundle are.
fn frugal() -> Budget {
    let mut budget = Budget::default();
    budget.retained_bytes = 0;
    budget
}

fn refused(versions: &[&Evidence]) -> String {
    let verifier = Evidence::sound().verifier().with_budget(frugal());
    verifier.verify(Changing::new(versions)).unwrap_err().to_string()
}

#[test]
fn a_bundle_that_stays_the_same_is_judged_alike_however_often_it_is_read() {
    let evidence = Evidence::sound();
    let verifier = evidence.verifier().with_budget(frugal());
    let mut input = Changing::new(&[&evidence]);
    let report = verifier.verify(&mut input).unwrap();
    expect(&report, 0, &[]);
    assert_eq!(input.readings, 4, "chain, documents, indexes, chunks");
    let once = evidence.verifier().verify(Cursor::new(evidence.tgz())).unwrap();
    assert_eq!(report.to_string(), once.to_string());
}

#[test]
fn a_file_with_another_content_is_refused() {
    let sound = Evidence::sound();
    for (file, readings_before) in [("manifest.json", 1), ("index.json", 2), ("artifact.dump", 3)] {
        let name = format!("backups/{}/{file}", job(1));
        let mut other = Evidence::sound();
        let content = other.files.get_mut(&name).unwrap();
        let last = content.len() - 1;
        content[last] ^= 1;
        // The flaw shown first or last: neither way may it pass.
        for (first, then) in [(&sound, &other), (&other, &sound)] {
            let mut versions = vec![first; readings_before];
            versions.push(then);
            assert_eq!(refused(&versions), format!("{name} changed while the bundle was read"));
        }
    }
}

#[test]
fn a_file_that_is_gone_is_refused() {
    let sound = Evidence::sound();
    for (file, readings_before) in [("manifest.json", 1), ("index.json", 2), ("artifact.dump", 3)] {
        let name = format!("backups/{}/{file}", job(1));
        let mut without = Evidence::sound();
        without.files.remove(&name).unwrap();
        let mut versions = vec![&sound; readings_before];
        versions.push(&without);
        assert_eq!(refused(&versions), format!("{name} changed while the bundle was read"));
    }
}
