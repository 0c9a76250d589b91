//! Builds evidence bundles, sound ones and ones with a flaw. Each test file uses a part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use ed25519_dalek::{Signer as _, SigningKey};
use walwarden_verify::checkpoint::{Checkpoint, origin};
use walwarden_verify::index::{Block, CHUNK_SIZE_BYTES, Entry, Index, Rows};
use walwarden_verify::json::{Object, Value};
use walwarden_verify::key::{PublicKey, Signature};
use walwarden_verify::manifest::{AuditAnchor, Compression, ManifestBody, ObjectDigest};
use walwarden_verify::merkle::Tree;
use walwarden_verify::receipt::{DrillCheck, Outcome, Phase, ReceiptBody, TableComparison};
use walwarden_verify::statement::Statement;
use walwarden_verify::{
    ChainId, DatabaseId, EventKind, Head, JobId, KeyId, Manifest, OrgId, Report, Row, Sha256, Timestamp,
    Verifier, layout,
};

pub(crate) const START: i64 = 1_795_226_789_123;

/// A key pair from one byte.
#[derive(Clone)]
pub(crate) struct Key(SigningKey);

impl Key {
    pub(crate) fn new(seed: u8) -> Self {
        Key(SigningKey::from_bytes(&[seed; 32]))
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap()
    }

    pub(crate) fn id(&self) -> KeyId {
        self.public().key_id()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        Signature::from_bytes(self.0.sign(message).to_bytes())
    }
}

pub(crate) fn job(number: u8) -> JobId {
    JobId::from_parts(START + i64::from(number), [number; 10])
}

/// Evidence in the making: rows are added, then [`close`](Self::close) adds what covers them all.
#[derive(Clone)]
pub(crate) struct Evidence {
    pub(crate) org_id: OrgId,
    pub(crate) database_id: Option<DatabaseId>,
    pub(crate) chain_id: ChainId,
    pub(crate) key: Key,
    pub(crate) rows: Vec<Row>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) created_at: Timestamp,
}

impl Evidence {
    /// A chain with its genesis row.
    pub(crate) fn begin(database_id: Option<&str>) -> Self {
        let mut evidence = Evidence {
            org_id: "acme".parse().unwrap(),
            database_id: database_id.map(|id| id.parse().unwrap()),
            chain_id: ChainId::from_parts(START, [1; 10]),
            key: Key::new(1),
            rows: Vec::new(),
            files: BTreeMap::new(),
            created_at: Timestamp::from_unix_millis(START + 86_400_000).unwrap(),
        };
        let payload = Object::from([
            ("chainId", Value::from(evidence.chain_id.to_string())),
            ("orgId", "acme".into()),
            ("databaseId", database_id.into()),
            ("formatVersion", 1_u64.into()),
            ("keyId", evidence.key.id().to_string().into()),
        ]);
        evidence.add(None, EventKind::ChainGenesis, payload);
        evidence
    }

    /// Two backups, the first with artifact and index, and a passed drill of it; closed.
    pub(crate) fn sound() -> Self {
        let mut evidence = Evidence::begin(Some("shop"));
        evidence.backup(job(1), b"PGDMP first artifact", true);
        let second = evidence.backup(job(2), b"PGDMP second artifact", false);
        evidence.files.remove(&format!("backups/{}/artifact.dump", job(2)));
        evidence.drill(job(3), second);
        evidence.close();
        evidence
    }

    pub(crate) fn head(&self) -> Head {
        self.rows.last().map_or(Head::START, Row::head)
    }

    pub(crate) fn add(&mut self, job_id: Option<JobId>, kind: EventKind, payload: Object) {
        let at = Timestamp::from_unix_millis(START + 1000 * self.rows.len() as i64).unwrap();
        let row = Row::link(self.head(), at, job_id, kind, payload).unwrap();
        self.rows.push(row);
    }

    pub(crate) fn manifest_body(&self, job_id: JobId, artifact: &[u8]) -> ManifestBody {
        let database_id = self.database_id.clone().unwrap();
        let queued_at = Timestamp::from_unix_millis(START).unwrap();
        let head = self.head();
        ManifestBody {
            artifact_key: layout::artifact_key(&self.org_id, &database_id, queued_at, job_id, false),
            org_id: self.org_id.clone(),
            database_id,
            job_id,
            database_name: "shop".to_owned(),
            queued_at,
            started_at: queued_at,
            finished_at: queued_at,
            server_version: "17.11".to_owned(),
            dump_version: "17.11".to_owned(),
            snapshot_lsn: Some("0/16B3748".to_owned()),
            size_bytes: artifact.len() as u64,
            checksum_sha256: Sha256::of(artifact),
            compression: Compression::Gzip,
            encryption: None,
            index: None,
            globals: None,
            content_root: None,
            audit_anchor: AuditAnchor { chain_id: self.chain_id, seq: head.seq, hash: head.hash },
            signer: self.key.id(),
        }
    }

    /// A completed backup, and its files.
    pub(crate) fn backup(&mut self, job_id: JobId, artifact: &[u8], indexed: bool) -> Sha256 {
        self.backup_with(job_id, artifact, indexed, |_| {})
    }

    /// The same, with a change to the manifest before it is signed.
    pub(crate) fn backup_with(
        &mut self,
        job_id: JobId,
        artifact: &[u8],
        indexed: bool,
        change: impl FnOnce(&mut ManifestBody),
    ) -> Sha256 {
        for kind in [
            EventKind::BackupQueued,
            EventKind::BackupClaimed,
            EventKind::BackupRunning,
            EventKind::BackupFinalizing,
        ] {
            self.add(Some(job_id), kind, Object::new());
        }
        let mut body = self.manifest_body(job_id, artifact);
        if indexed {
            let index = index(job_id, artifact);
            let bytes = index.to_canonical();
            body.index = Some(ObjectDigest {
                key: layout::index_key(&body.org_id, &body.database_id, body.queued_at, job_id),
                size_bytes: bytes.len() as u64,
                checksum_sha256: Sha256::of(&bytes),
            });
            body.content_root = Some(index.content_root());
            self.files.insert(format!("backups/{job_id}/index.json"), bytes);
        }
        change(&mut body);
        let manifest = body.sign_with(|message| self.key.sign(message)).unwrap();
        self.files.insert(format!("backups/{job_id}/artifact.dump"), artifact.to_vec());
        self.files.insert(format!("backups/{job_id}/manifest.json"), manifest.as_bytes().to_vec());
        self.complete(job_id, &manifest);
        manifest.hash()
    }

    pub(crate) fn complete(&mut self, job_id: JobId, manifest: &Manifest) {
        let payload = Object::from([
            ("manifestSha256", Value::from(manifest.hash())),
            ("checksumSha256", manifest.body().checksum_sha256.into()),
            ("sizeBytes", manifest.body().size_bytes.into()),
        ]);
        self.add(Some(job_id), EventKind::BackupCompleted, payload);
    }

    pub(crate) fn receipt_body(&self, job_id: JobId, manifest_sha256: Sha256) -> ReceiptBody {
        let at = Timestamp::from_unix_millis(START).unwrap();
        ReceiptBody {
            org_id: self.org_id.clone(),
            database_id: self.database_id.clone().unwrap(),
            job_id,
            manifest_sha256,
            started_at: at,
            finished_at: at,
            target_version: "17.11".to_owned(),
            phases: vec![Phase { name: "restore".to_owned(), duration_ms: 1200 }],
            tables: vec![TableComparison {
                schema: Some("public".to_owned()),
                name: "orders".to_owned(),
                expected_rows: 3,
                actual_rows: 3,
                expected_digest: Sha256::of(b"rows"),
                actual_digest: Sha256::of(b"rows"),
            }],
            checks: vec![DrillCheck {
                name: "extensions".to_owned(),
                outcome: Outcome::NotRun,
                detail: String::new(),
            }],
            passed: true,
            signer: self.key.id(),
        }
    }

    pub(crate) fn drill(&mut self, job_id: JobId, manifest_sha256: Sha256) {
        self.drill_with(job_id, manifest_sha256, |_| {});
    }

    pub(crate) fn drill_with(
        &mut self,
        job_id: JobId,
        manifest_sha256: Sha256,
        change: impl FnOnce(&mut ReceiptBody),
    ) {
        for kind in [
            EventKind::DrillQueued,
            EventKind::DrillStarted,
            EventKind::DrillRestored,
            EventKind::DrillChecked,
        ] {
            self.add(Some(job_id), kind, Object::new());
        }
        let mut body = self.receipt_body(job_id, manifest_sha256);
        change(&mut body);
        let signature = self.key.sign(&body.canonical_body());
        let receipt = body.seal(signature).unwrap();
        self.files.insert(format!("drills/{job_id}/receipt.json"), receipt.as_bytes().to_vec());
        let payload = Object::from([("receiptSha256", receipt.hash())]);
        self.add(Some(job_id), EventKind::DrillPassed, payload);
    }

    /// Rotates to another key, and signs with it from then on.
    pub(crate) fn rotate(&mut self, new: Key) {
        let payload = self.rotation_payload(&new, &self.key, &new);
        self.add(None, EventKind::KeyRotated, payload);
        self.key = new;
    }

    pub(crate) fn rotation_payload(&self, new: &Key, old_signer: &Key, new_signer: &Key) -> Object {
        let seq = self.head().seq + 1;
        let message = walwarden_verify::chain::rotation_message(self.chain_id, seq, self.key.id(), new.id());
        Object::from([
            ("oldKeyId", self.key.id().to_string()),
            ("newKeyId", new.id().to_string()),
            ("newPublicKey", new.public().to_pem()),
            ("oldSignature", old_signer.sign(&message).to_string()),
            ("newSignature", new_signer.sign(&message).to_string()),
        ])
    }

    pub(crate) fn audit_events(&self) -> Vec<u8> {
        let rows: Vec<_> =
            self.rows.iter().map(|row| String::from_utf8(row.to_canonical()).unwrap()).collect();
        format!("[{}]", rows.join(",")).into_bytes()
    }

    pub(crate) fn checkpoint_of(&self, size: usize) -> Checkpoint {
        let mut tree = Tree::new();
        self.rows[..size].iter().for_each(|row| tree.push(&row.to_canonical()));
        Checkpoint { origin: origin(&self.org_id, self.chain_id), size: size as u64, root: tree.root() }
    }

    pub(crate) fn signed_checkpoint(&self, size: usize) -> String {
        self.checkpoint_of(size).sign_with(&self.key.public(), |message| self.key.sign(message))
    }

    /// Writes rows, checkpoint and signed list.
    pub(crate) fn close(&mut self) {
        self.files.insert("audit_events.json".to_owned(), self.audit_events());
        let checkpoint = self.signed_checkpoint(self.rows.len());
        self.files.insert("checkpoint".to_owned(), checkpoint.into_bytes());
        self.seal_list();
    }

    pub(crate) fn statement(&self) -> Statement {
        let others = self.files.iter().filter(|(name, _)| *name != "bundle.json");
        let backups = self.rows.iter().filter(|row| row.kind == EventKind::BackupCompleted).count();
        Statement {
            org_id: self.org_id.clone(),
            database_id: self.database_id.clone(),
            chain_id: self.chain_id,
            first_seq: 1,
            last_seq: self.rows.len() as u64,
            backups: backups as u64,
            rows_shown: None,
            created_at: self.created_at,
            files: others.map(|(name, bytes)| (name.clone(), Sha256::of(bytes))).collect(),
        }
    }

    /// Writes the signed list over the files as they are.
    pub(crate) fn seal_list(&mut self) {
        self.seal_statement(&self.statement());
    }

    pub(crate) fn seal_statement(&mut self, statement: &Statement) {
        let signature = self.key.sign(&statement.message());
        self.files.insert("bundle.json".to_owned(), statement.seal(self.key.id(), &signature));
    }

    /// Rewrites a JSON file by replacing text in it.
    pub(crate) fn replace(&mut self, file: &str, from: &str, to: &str) {
        let text = String::from_utf8(self.files[file].clone()).unwrap();
        assert!(text.contains(from), "{from} is not in {file}: {text}");
        self.files.insert(file.to_owned(), text.replacen(from, to, 1).into_bytes());
    }

    pub(crate) fn tgz(&self) -> Vec<u8> {
        gzip(&self.tar())
    }

    pub(crate) fn tar(&self) -> Vec<u8> {
        let mut tar: Vec<u8> = self.files.iter().flat_map(|(name, bytes)| entry(name, bytes)).collect();
        tar.extend_from_slice(&[0; 1024]);
        tar
    }

    pub(crate) fn verifier(&self) -> Verifier {
        Verifier::new().with_key(Key::new(1).public())
    }

    pub(crate) fn report(&self) -> Report {
        self.verifier().verify(Cursor::new(self.tgz())).unwrap()
    }
}

pub(crate) fn index(job_id: JobId, artifact: &[u8]) -> Index {
    let entry = |dump_id, desc: &str, data| Entry {
        dump_id,
        section: "data".to_owned(),
        desc: desc.to_owned(),
        schema: Some("public".to_owned()),
        name: "orders".to_owned(),
        owner: None,
        data,
    };
    let block = Block {
        offset: 5,
        length: 3,
        sha256: Sha256::of(&artifact[5..8]),
        raw_bytes: 9,
        rows: Some(Rows { count: 3, digest: Sha256::of(b"rows") }),
    };
    Index {
        job_id,
        archive_version: "1.16".to_owned(),
        toc_size_bytes: 5,
        chunks: artifact.chunks(CHUNK_SIZE_BYTES as usize).map(Sha256::of).collect(),
        entries: vec![entry(1, "TABLE", None), entry(2, "TABLE DATA", Some(block))],
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Header, contents and padding of a file.
pub(crate) fn entry(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut entry = header(name, bytes.len() as u64, b'0').to_vec();
    entry.extend_from_slice(bytes);
    entry.resize(entry.len().next_multiple_of(512), 0);
    entry
}

pub(crate) fn header(name: &str, size: u64, kind: u8) -> [u8; 512] {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    seal_header(&mut header);
    header
}

pub(crate) fn seal_header(header: &mut [u8; 512]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// The codes of the failing checks.
pub(crate) fn codes(report: &Report) -> Vec<&'static str> {
    let mut codes: Vec<_> = report.failures().map(|finding| finding.reason.text()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The report must end so, with exactly these checks failing besides `level`.
#[track_caller]
pub(crate) fn expect(report: &Report, exit: u8, expected: &[&str]) {
    let mut found = codes(report);
    found.retain(|code| *code != "level");
    assert_eq!((report.exit().status(), found.as_slice()), (exit, expected), "\n{report}");
}
