//! Timestamps as OpenSSL makes them, and what is wrong with others.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Evidence, expect};
use tempfile::TempDir;
use walwarden_verify::checkpoint::SignedNote;
use walwarden_verify::timestamp::{Authorities, TimestampError, verify};
use walwarden_verify::{Level, Report, Verifier};

const MESSAGE: &[u8] = b"walwarden/acme/chain\n12\nroot\n";

/// A root, an authority below it, and its timestamps.
struct Tsa {
    folder: TempDir,
}

/// What may be wrong with an authority's certificate.
const STAMPS: &str =
    "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=critical,timeStamping";

impl Tsa {
    fn new(key: &[&str], digest: &str, extensions: &str) -> Self {
        let tsa = Tsa { folder: tempfile::tempdir().unwrap() };
        tsa.write("ca.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign");
        tsa.write("tsa.ext", extensions);
        let config = format!(
            "[tsa]\nserial=serial\ndigests=sha256\nsigner_digest={digest}\naccuracy=secs:1\nordering=no\ntsa_name=yes\n\
             ess_cert_id_chain=no\ness_cert_id_alg=sha256\ndefault_policy=1.2.3.4\n"
        );
        tsa.write("tsa.cnf", &config);
        for (name, subject) in [("ca", "/CN=Root"), ("tsa", "/CN=Stamps")] {
            let key_file = format!("{name}.key");
            tsa.openssl(&[&["genpkey", "-quiet", "-out", &key_file][..], key].concat());
            tsa.openssl(&[
                "req",
                "-new",
                "-key",
                &key_file,
                "-subj",
                subject,
                "-out",
                &format!("{name}.csr"),
            ]);
        }
        let ca = [
            "x509", "-req", "-in", "ca.csr", "-key", "ca.key", "-extfile", "ca.ext", "-out", "ca.pem",
            "-days", "9",
        ];
        tsa.openssl(&ca);
        tsa.openssl(&[
            "x509",
            "-req",
            "-in",
            "tsa.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-extfile",
            "tsa.ext",
            "-out",
            "tsa.pem",
            "-days",
            "9",
        ]);
        tsa
    }

    fn rsa() -> Self {
        Tsa::new(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "sha256", STAMPS)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[track_caller]
    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").current_dir(&self.folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn stamp(&self, message: &[u8], digest: &str) -> Vec<u8> {
        self.write("message", message);
        self.openssl(&["ts", "-query", "-data", "message", digest, "-cert", "-out", "query"]);
        self.openssl(&[
            "ts",
            "-reply",
            "-queryfile",
            "query",
            "-config",
            "tsa.cnf",
            "-section",
            "tsa",
            "-signer",
            "tsa.pem",
            "-inkey",
            "tsa.key",
            "-out",
            "reply",
        ]);
        fs::read(self.path("reply")).unwrap()
    }

    fn root(&self) -> Authorities {
        Authorities::from_pem(&fs::read_to_string(self.path("ca.pem")).unwrap()).unwrap()
    }
}

#[test]
fn what_openssl_stamps_is_verified_and_led_to_its_root() {
    let ec = |curve: &'static str| ["-algorithm", "EC", "-pkeyopt", curve];
    for (key, digest) in [
        (&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "sha256"),
        (&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"], "sha512"),
        (&ec("ec_paramgen_curve:P-256"), "sha256"),
        (&ec("ec_paramgen_curve:P-384"), "sha384"),
    ] {
        let tsa = Tsa::new(key, digest, STAMPS);
        let reply = tsa.stamp(MESSAGE, "-sha256");
        // The judge agrees.
        tsa.openssl(&["ts", "-verify", "-in", "reply", "-data", "message", "-CAfile", "ca.pem"]);
        let stamp = verify(&reply, MESSAGE, &tsa.root()).unwrap();
        assert!(stamp.trusted, "{key:?} {digest}");
        assert!(!verify(&reply, MESSAGE, &Authorities::default()).unwrap().trusted);
        assert!(!verify(&reply, MESSAGE, &Tsa::rsa().root()).unwrap().trusted, "another root of that name");
        let itself = Authorities::from_pem(&fs::read_to_string(tsa.path("tsa.pem")).unwrap()).unwrap();
        assert!(
            verify(&reply, MESSAGE, &itself).unwrap().trusted,
            "the authority's own certificate is named"
        );
        assert_eq!(verify(&reply, b"other", &tsa.root()), Err(TimestampError::OtherMessage));
    }
}

#[test]
fn no_changed_byte_leaves_a_trusted_stamp_of_another_time() {
    let tsa = Tsa::new(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "sha256", STAMPS);
    let reply = tsa.stamp(MESSAGE, "-sha256");
    let (root, sound) = (tsa.root(), verify(&reply, MESSAGE, &tsa.root()).unwrap());
    let mut refused = 0;
    for at in 0..reply.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = reply.clone();
            changed[at] ^= bit;
            match verify(&changed, MESSAGE, &root) {
                Ok(stamp) if stamp.trusted => assert_eq!(stamp.at, sound.at, "byte {at}"),
                _ => refused += 1,
            }
        }
        assert!(verify(&reply[..at], MESSAGE, &root).is_err(), "cut after {at}");
    }
    // What is not covered: the status' text, version numbers, the other name of the signer.
    assert!(refused > reply.len() * 3 * 8 / 10, "{refused} of {}", reply.len() * 3);
    let longer = [&reply[..], b"\0"].concat();
    assert!(matches!(verify(&longer, MESSAGE, &root), Err(TimestampError::Malformed(_))));
}

#[test]
fn an_imprint_by_another_digest_is_not_taken() {
    let tsa = Tsa::rsa();
    tsa.write(
        "tsa.cnf",
        fs::read_to_string(tsa.path("tsa.cnf")).unwrap().replace("digests=sha256", "digests=sha1,sha256"),
    );
    let reply = tsa.stamp(MESSAGE, "-sha1");
    assert_eq!(verify(&reply, MESSAGE, &tsa.root()), Err(TimestampError::OtherMessage));
}

#[test]
fn a_refusal_is_no_timestamp() {
    let tsa = Tsa::rsa();
    let refusal = tsa.stamp(MESSAGE, "-sha384");
    assert!(matches!(verify(&refusal, MESSAGE, &tsa.root()), Err(TimestampError::Malformed(_))));
    for other in [&b""[..], b"\x30", b"\x30\x80\0\0", MESSAGE] {
        assert!(matches!(verify(other, MESSAGE, &tsa.root()), Err(TimestampError::Malformed(_))));
    }
}

fn stamped(tsa: &Tsa, over: &[u8]) -> Evidence {
    let mut evidence = Evidence::sound();
    evidence.files.insert("checkpoint.tsr".to_owned(), tsa.stamp(over, "-sha256"));
    evidence.close();
    evidence
}

fn body(evidence: &Evidence) -> Vec<u8> {
    SignedNote::parse(&evidence.files["checkpoint"]).unwrap().body().as_bytes().to_vec()
}

fn judged(verifier: Verifier, evidence: &Evidence) -> Report {
    verifier.verify(Cursor::new(evidence.tgz())).unwrap()
}

#[test]
fn a_bundle_is_stamped_by_a_named_authority_or_it_is_said() {
    let tsa = Tsa::rsa();
    let mut sound = Evidence::sound();
    sound.close();
    let evidence = stamped(&tsa, &body(&sound));
    let report = judged(evidence.verifier().with_authorities(tsa.root()), &evidence);
    expect(&report, 0, &[]);
    assert!(report.stamped_at.is_some());
    assert_eq!(report.level, Some(Level::Complete), "a timestamp shows no witness");
    assert!(report.not_proven().iter().any(|not| not.code == "times" && not.text.contains("existed by")));

    let unnamed = judged(evidence.verifier(), &evidence);
    expect(&unnamed, 0, &[]);
    assert_eq!(unnamed.stamped_at, None);
    let stranger = judged(evidence.verifier().with_authorities(Tsa::rsa().root()), &evidence);
    expect(&stranger, 4, &["timestamp-authority"]);
    let absent = judged(sound.verifier().with_authorities(tsa.root()), &sound);
    expect(&absent, 4, &["timestamp-authority"]);
    let other = stamped(&tsa, b"another checkpoint");
    expect(&judged(other.verifier(), &other), 1, &["timestamp-signature"]);
    let mut broken = evidence;
    broken.files.insert("checkpoint.tsr".to_owned(), b"no timestamp".to_vec());
    broken.close();
    expect(&judged(broken.verifier(), &broken), 3, &["timestamp-form"]);
}

#[test]
fn a_certificate_for_something_else_stamps_nothing() {
    let source = Tsa::rsa();
    let reply = source.stamp(MESSAGE, "-sha256");
    // The same root, whose certificate is then said to be no CA: what it issued is not led to it.
    let folder: &Path = source.folder.path();
    source.write("ca.ext", "basicConstraints=critical,CA:FALSE");
    let again = [
        "x509",
        "-req",
        "-in",
        "ca.csr",
        "-key",
        "ca.key",
        "-extfile",
        "ca.ext",
        "-out",
        "no-ca.pem",
        "-days",
        "9",
    ];
    source.openssl(&again);
    let no_ca = Authorities::from_pem(&fs::read_to_string(folder.join("no-ca.pem")).unwrap()).unwrap();
    assert!(!verify(&reply, MESSAGE, &no_ca).unwrap().trusted);
    source.write(
        "ca.ext",
        "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\nnameConstraints=critical,permitted;DNS:x",
    );
    source.openssl(&again);
    let constrained = Authorities::from_pem(&fs::read_to_string(folder.join("no-ca.pem")).unwrap()).unwrap();
    assert!(
        !verify(&reply, MESSAGE, &constrained).unwrap().trusted,
        "a critical extension that is not understood"
    );
}
