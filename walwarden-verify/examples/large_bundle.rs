//! Writes a large bundle that verifies, for measuring: one backup with its dump, and restores without end.
//!
//! ```sh
//! cargo run --release -p walwarden-verify --features aws-lc-rs,lanes --example large_bundle -- EVENTS DUMP_BYTES FILE
//! ```
//!
//! The public key goes to FILE.pub.pem.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use ed25519_dalek::{Signer as _, SigningKey};
use flate2::Compression;
use flate2::write::GzEncoder;
use walwarden_verify::checkpoint::{Checkpoint, origin};
use walwarden_verify::json::{Object, Value};
use walwarden_verify::key::{PublicKey, Signature};
use walwarden_verify::layout::artifact_key;
use walwarden_verify::manifest::{AuditAnchor, Compression as Codec, ManifestBody};
use walwarden_verify::merkle::Tree;
use walwarden_verify::statement::Statement;
use walwarden_verify::{ChainId, EventKind, Hasher, Head, JobId, Manifest, Row, Sha256, Timestamp};

const START: i64 = 1_795_226_789_123;
const BACKUP: u64 = 6;
const RESTORE: [EventKind; 8] = [
    EventKind::RestoreTriggered,
    EventKind::RestoreClaimed,
    EventKind::RestoreDownloading,
    EventKind::RestoreVerifying,
    EventKind::RestoreManifestVerified,
    EventKind::RestoreRestoring,
    EventKind::RestoreFinalizing,
    EventKind::RestoreCompleted,
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, events, dump_bytes, path] = arguments.as_slice() else {
        return Err("EVENTS DUMP_BYTES FILE".into());
    };
    let (events, dump_bytes): (u64, u64) = (events.parse()?, dump_bytes.parse()?);
    let signer = SigningKey::from_bytes(&[7; 32]);
    let key = PublicKey::from_bytes(signer.verifying_key().as_bytes())?;
    let sign = |message: &[u8]| Signature::from_bytes(signer.sign(message).to_bytes());
    let history = History { key, dump_bytes, dump_sha256: zeros(dump_bytes), sign: &sign };

    // Once for sizes and digests, once to write.
    let (mut tree, mut hasher, mut size, mut last) = (Tree::new(), Hasher::new(), 0, Head::START);
    history.rows(events, |row, text| {
        tree.push(&text[1..]);
        hasher.update(text);
        size += text.len() as u64;
        last = row.head();
        Ok(())
    })?;
    hasher.update(b"]");
    let checkpoint =
        Checkpoint { origin: origin(&"acme".parse()?, chain_id()), size: last.seq, root: tree.root() };
    let note = checkpoint.sign_with(&key, sign);
    let manifest = history.manifest()?;
    let folder = format!("backups/{}", job_id(0));
    let (manifest_path, dump_path) = (format!("{folder}/manifest.json"), format!("{folder}/artifact.dump"));
    let mut files = vec![
        ("audit_events.json".to_owned(), hasher.finish()),
        ("checkpoint".to_owned(), Sha256::of(note.as_bytes())),
        (manifest_path.clone(), manifest.hash()),
        (dump_path.clone(), history.dump_sha256),
    ];
    files.sort();
    let statement = Statement {
        org_id: "acme".parse()?,
        database_id: Some("shop".parse()?),
        chain_id: chain_id(),
        first_seq: 1,
        last_seq: last.seq,
        backups: 1,
        rows_shown: None,
        created_at: at(last.seq),
        files,
    };
    let index = statement.seal(key.key_id(), &sign(&statement.message()));

    let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut tar = GzEncoder::new(file, Compression::none());
    begin(&mut tar, "audit_events.json", size + 1)?;
    history.rows(events, |_, text| tar.write_all(text))?;
    tar.write_all(b"]")?;
    pad(&mut tar, size + 1)?;
    begin(&mut tar, &dump_path, dump_bytes)?;
    write_zeros(dump_bytes, |piece| tar.write_all(piece))?;
    pad(&mut tar, dump_bytes)?;
    for (path, content) in
        [(&*manifest_path, manifest.as_bytes()), ("bundle.json", &index), ("checkpoint", note.as_bytes())]
    {
        begin(&mut tar, path, content.len() as u64)?;
        tar.write_all(content)?;
        pad(&mut tar, content.len() as u64)?;
    }
    tar.write_all(&[0; 1024])?;
    tar.finish()?.flush()?;
    std::fs::write(format!("{path}.pub.pem"), key.to_pem())?;
    Ok(())
}

struct History<'a> {
    key: PublicKey,
    dump_bytes: u64,
    dump_sha256: Sha256,
    sign: &'a dyn Fn(&[u8]) -> Signature,
}

impl History<'_> {
    /// Hands over each row with its text, which begins with a bracket or a comma.
    fn rows(&self, events: u64, mut each: impl FnMut(&Row, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut head = Head::START;
        while head.seq < events.max(BACKUP) {
            let row = self.row(head);
            head = row.head();
            let mut text = vec![if row.seq == 1 { b'[' } else { b',' }];
            text.extend_from_slice(&row.to_canonical());
            each(&row, &text)?;
        }
        Ok(())
    }

    fn row(&self, head: Head) -> Row {
        let seq = head.seq + 1;
        let backup = |kind| (Some(job_id(0)), kind, Object::new());
        let (job_id, kind, payload) = match seq {
            1 => (None, EventKind::ChainGenesis, self.genesis()),
            2 => backup(EventKind::BackupQueued),
            3 => backup(EventKind::BackupClaimed),
            4 => backup(EventKind::BackupRunning),
            5 => backup(EventKind::BackupFinalizing),
            BACKUP => (Some(job_id(0)), EventKind::BackupCompleted, self.completed()),
            _ => {
                let number = seq - BACKUP - 1;
                (Some(job_id(1 + number / 8)), RESTORE[number as usize % 8], Object::new())
            }
        };
        Row::link(head, at(seq), job_id, kind, payload).expect("rows of this example are in form")
    }

    fn genesis(&self) -> Object {
        Object::from([
            ("chainId", Value::from(chain_id().to_string())),
            ("orgId", "acme".into()),
            ("databaseId", "shop".into()),
            ("formatVersion", 1_u64.into()),
            ("keyId", self.key.key_id().to_string().into()),
        ])
    }

    fn completed(&self) -> Object {
        let manifest = self.manifest().expect("the manifest of this example is in form");
        Object::from([
            ("manifestSha256", Value::from(manifest.hash())),
            ("checksumSha256", self.dump_sha256.into()),
            ("sizeBytes", self.dump_bytes.into()),
        ])
    }

    fn manifest(&self) -> Result<Manifest, walwarden_verify::FormError> {
        let mut anchor = Head::START;
        while anchor.seq < BACKUP - 1 {
            anchor = self.row(anchor).head();
        }
        let (org_id, database_id) = ("acme".parse().expect("an id"), "shop".parse().expect("an id"));
        let body = ManifestBody {
            artifact_key: artifact_key(&org_id, &database_id, at(2), job_id(0), false),
            org_id,
            database_id,
            job_id: job_id(0),
            database_name: "shop".to_owned(),
            queued_at: at(2),
            started_at: at(3),
            finished_at: at(4),
            server_version: "18.0".to_owned(),
            dump_version: "18.0".to_owned(),
            snapshot_lsn: None,
            size_bytes: self.dump_bytes,
            checksum_sha256: self.dump_sha256,
            compression: Codec::None,
            encryption: None,
            index: None,
            globals: None,
            content_root: None,
            audit_anchor: AuditAnchor { chain_id: chain_id(), seq: anchor.seq, hash: anchor.hash },
            signer: self.key.key_id(),
        };
        let signature = (self.sign)(&body.canonical_body());
        body.seal(signature)
    }
}

fn chain_id() -> ChainId {
    ChainId::from_parts(START, [1; 10])
}

fn job_id(number: u64) -> JobId {
    JobId::from_parts(START + number as i64, [7; 10])
}

fn at(seq: u64) -> Timestamp {
    Timestamp::from_unix_millis(START + seq as i64).expect("years before 9999")
}

fn zeros(bytes: u64) -> Sha256 {
    let mut hasher = Hasher::new();
    let _: io::Result<()> = write_zeros(bytes, |piece| {
        hasher.update(piece);
        Ok(())
    });
    hasher.finish()
}

fn write_zeros(bytes: u64, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let piece = vec![0; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let count = left.min(piece.len() as u64);
        write(&piece[..count as usize])?;
        left -= count;
    }
    Ok(())
}

fn begin(tar: &mut impl Write, path: &str, size: u64) -> io::Result<()> {
    let mut header = [0; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.write_all(&header)
}

fn pad(tar: &mut impl Write, size: u64) -> io::Result<()> {
    tar.write_all(&[0; 512][..(size.next_multiple_of(512) - size) as usize])
}
