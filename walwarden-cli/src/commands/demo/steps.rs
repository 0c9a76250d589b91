//! What the demo does, step by step.

use std::fs;
use std::path::Path;
use std::time::Instant;

use walwarden_core::backup::{BackupRequest, BackupRunner as _};
use walwarden_core::export::ExportRequest;
use walwarden_core::restore::Mode;
use walwarden_core::storage::ObjectName;
use walwarden_core::verify::Verifier;
use walwarden_core::watch::Unwatched;
use walwarden_core::{Code, Error, Result};

use super::stage::{BACKUPS, BUNDLE, DAMAGED, DATABASE, Demo, PUBLIC_KEY, RESTORED};
use super::tally::{Outcome, Tally};
use super::{damage, file_failed, outside};
use crate::environment::Environment;
use crate::exit::Stop;
use crate::output::{bytes, elapsed};

type Step = std::result::Result<(), Stop>;

impl Demo {
    /// Backs the shop up into a folder.
    pub(super) async fn back_up(&mut self, tally: &mut Tally) -> Step {
        tally.step("Back it up: pg_dump, streamed into a folder, hashed on the way, read back, signed")?;
        let began = Instant::now();
        let destination = self.home.destination(&self.url(BACKUPS)).await?;
        let source = self.dsn(DATABASE)?;
        let id = DATABASE.parse().expect("`shop` is a well-formed id");
        let request = BackupRequest::new(id, source, self.home.clients().await, destination);
        let sealed = self.engine.backup().run(request, &Unwatched).await?;
        let manifest = sealed.manifest.body();
        tally.say(format_args!(
            "{} in {}, {}; dump sha256 {}",
            bytes(manifest.size_bytes),
            elapsed(began.elapsed()),
            manifest.compression.text(),
            manifest.checksum_sha256
        ))?;
        tally.say(format_args!("manifest {}", sealed.manifest_sha256))?;
        tally.say(format_args!(
            "signed by {}, anchored at row {} of the audit chain",
            manifest.signer, manifest.audit_anchor.seq
        ))?;
        let stored = fs::metadata(self.stored(BACKUPS, &manifest.artifact_key)).map(|file| file.len());
        let outcome = match stored {
            Ok(size) => Outcome::of(size == manifest.size_bytes, || format!("it has {size} bytes")),
            Err(error) => Outcome::Unexpected(error.to_string()),
        };
        tally.check("the dump lies in the folder with the size that the manifest names", &outcome)?;
        self.sealed = Some(sealed);
        Ok(())
    }

    /// Restores the backup and compares every table with the source.
    pub(super) async fn restore(&mut self, tally: &mut Tally) -> Step {
        tally.step("Restore it into a new database, and compare every table with the source")?;
        let began = Instant::now();
        let mut request = self.request(BACKUPS, "postgres", Mode::NewDatabase).await?;
        request.created_database = Some(RESTORED.to_owned());
        let restored = self.carry_out(request).await?;
        tally.say(format_args!("database {} restored in {}", restored.database, elapsed(began.elapsed())))?;
        for notice in &restored.notices {
            tally.say(format_args!("note: {notice}"))?;
        }
        let source = self.contents(DATABASE).await?;
        let copy = self.contents(RESTORED).await?;
        let mut equal = 0;
        let mut rows = 0;
        let mut different = Vec::new();
        for (table, content) in &source {
            let same = copy.get(table) == Some(content);
            let name = format!("{}.{}", table.schema, table.name);
            let digest = &content.digest.to_string()[..16];
            let word = if same { "equal" } else { "DIFFERENT" };
            tally.say(format_args!("{name:<32} {:>9} rows  {digest}…  {word}", content.rows))?;
            rows += content.rows;
            if same {
                equal += 1;
            } else {
                different.push(name);
            }
        }
        let claim =
            format!("{equal} of {} tables have the same row count and digest, {rows} rows", source.len());
        let complete = different.is_empty() && copy.len() == source.len() && rows > 0;
        tally.check(
            &claim,
            &Outcome::of(complete, || {
                format!("{} tables in the copy, different: {}", copy.len(), different.join(", "))
            }),
        )?;
        Ok(())
    }

    /// Flips one bit in a copy of the backup and sees the restore refuse it.
    pub(super) async fn restore_damaged_copy(&mut self, tally: &mut Tally) -> Step {
        tally.step(
            "Flip one bit in a copy of the dump, and try to restore that over the database just restored",
        )?;
        let artifact = self.sealed()?.manifest.body().artifact_key.clone();
        let copy = self.folder.join(DAMAGED);
        damage::copy(&self.folder.join(BACKUPS), &copy).map_err(file_failed(&copy))?;
        let dump = self.stored(DAMAGED, &artifact);
        let flip = damage::flip_one_bit(&dump).map_err(file_failed(&dump))?;
        tally.say(format_args!("byte {} was 0x{:02x}, is 0x{:02x}", flip.offset, flip.before, flip.after))?;
        let before = self.contents(RESTORED).await?;
        let mut request = self.request(DAMAGED, RESTORED, Mode::InPlace).await?;
        request.confirm_destructive = true;
        let outcome = match self.carry_out(request).await {
            Err(error) if error.code() == Code::ArtifactMismatch => {
                tally.say(format_args!("refused: {error} [{}]", error.code()))?;
                Outcome::AsExpected
            }
            Err(error) => Outcome::Unexpected(format!("{error} [{}]", error.code())),
            Ok(_) => Outcome::Unexpected("it was restored".to_owned()),
        };
        tally.check("the restore refuses the damaged dump", &outcome)?;
        let after = self.contents(RESTORED).await?;
        let claim = format!("all {} tables of the target still hold what they held before", before.len());
        tally.check(&claim, &Outcome::of(before == after, || "they differ".to_owned()))?;
        Ok(())
    }

    /// Exports the evidence and verifies it with the public key alone.
    pub(super) async fn export_and_verify(&mut self, tally: &mut Tally) -> Step {
        tally.step("Export the evidence and verify it, with the public key and nothing else")?;
        let id = DATABASE.parse().expect("`shop` is a well-formed id");
        let mut request = ExportRequest::new(id, self.home.destination(&self.url(BACKUPS)).await?);
        request.artifacts = true;
        let bundle = self.folder.join(BUNDLE);
        let file = fs::File::create_new(&bundle).map_err(file_failed(&bundle))?;
        let (_, exported) = self.engine.evidence().export(&request, file).await?;
        tally.say(format_args!(
            "{BUNDLE} holds rows: {}, manifests: {}, dumps: {}",
            exported.rows, exported.manifests, exported.artifacts
        ))?;
        let verifier = Verifier::new().with_key(self.public_key);
        let report = walwarden_verifier::verify_file(&verifier, &bundle).map_err(|error| {
            Error::new(Code::FileFailed, "the bundle cannot be read back").with_source(error.to_string())
        })?;
        for finding in &report.findings {
            tally.say(finding)?;
        }
        let exit = report.exit().status();
        tally.check(
            "the bundle verifies at level 2: complete, and signed by the demo's key",
            &Outcome::of(exit == 0, || format!("exit status {exit}")),
        )?;
        Ok(())
    }

    /// Checks the manifest with other people's tools.
    pub(super) async fn check_from_outside(&mut self, environment: &Environment, tally: &mut Tally) -> Step {
        tally.step("Check the same manifest without Walwarden: jq, openssl, sha256sum")?;
        let sealed = self.sealed()?;
        let body = sealed.manifest.body();
        let dump = Path::new(BACKUPS).join(&body.artifact_key);
        let manifest = Path::new(BACKUPS).join(manifest_key(&body.artifact_key)?.as_str());
        let path = environment.paths("PATH").unwrap_or_default();
        let hash = sealed.manifest_sha256.to_string();
        tally.say(format_args!(
            "$ cd {}; MANIFEST={}; DUMP={}",
            self.folder.display(),
            manifest.display(),
            dump.display()
        ))?;
        for check in outside::checks(&hash, &dump) {
            for line in check.command.lines() {
                tally.say(format_args!("$ {line}"))?;
            }
            let outcome = check.run(&self.folder, &manifest, &dump, &path).await;
            tally.check(check.shows, &outcome)?;
        }
        Ok(())
    }

    /// Says what is left, and what to do with it.
    pub(super) fn farewell(&self, kept: bool, tally: &Tally) -> Step {
        let folder = self.folder.display();
        if kept {
            tally.say(format_args!(
                "\nEverything but the server is left in {folder}. To go on:\n\
                 walwarden --home {folder}/home status\n\
                 walwarden-verify --bundle {folder}/{BUNDLE} --pubkey {folder}/{PUBLIC_KEY}\n\
                 tar tzf {folder}/{BUNDLE}"
            ))?;
        } else {
            tally.say(
                "\nServer and files are being removed; `walwarden demo --keep DIR` leaves the files.\n\
                 With a database of your own: walwarden init, then\n\
                 walwarden backup run --dsn DSN --to file:///FOLDER",
            )?;
        }
        Ok(())
    }
}

/// The manifest lies beside its dump.
fn manifest_key(artifact_key: &str) -> Result<ObjectName> {
    ObjectName::new(format!("{}.manifest.json", artifact_key.trim_end_matches(".dump")))
}
