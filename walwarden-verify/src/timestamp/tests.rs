use std::fs;
use std::process::Command;

use super::certificate::{Certificate, leads_to};
use super::*;
use crate::key::pem::blocks_of;

/// Certificates below one root, with these extensions, each valid for nine days from now.
fn issued(extensions: &[&str]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").current_dir(&folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let make = |name: &str, extensions: &str, by: &[&str]| {
        fs::write(folder.path().join("ext"), extensions).unwrap();
        let (key, request) = (format!("{name}.key"), format!("{name}.csr"));
        openssl(&[
            "genpkey",
            "-quiet",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            &key,
        ]);
        openssl(&["req", "-new", "-key", &key, "-subj", &format!("/CN={name}"), "-out", &request]);
        let certificate = format!("{name}.pem");
        let own = ["-key", &key];
        let by = if by.is_empty() { &own[..] } else { by };
        let sign = ["x509", "-req", "-in", &request, "-extfile", "ext", "-out", &certificate, "-days", "9"];
        openssl(&[&sign[..], by].concat());
        let text = fs::read_to_string(folder.path().join(certificate)).unwrap();
        blocks_of(&text, "CERTIFICATE").next().unwrap().unwrap()
    };
    let mut made =
        vec![make("root", "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=keyCertSign", &[])];
    for (number, extensions) in extensions.iter().enumerate() {
        let by = ["-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"];
        made.push(make(&format!("leaf{number}"), extensions, &by));
    }
    made
}

fn now() -> Timestamp {
    #[allow(clippy::disallowed_methods, reason = "the certificates are made now")]
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_millis(since_epoch.as_millis() as i64).unwrap()
}

#[test]
fn only_a_valid_certificate_for_stamping_alone_is_led_to_a_root() {
    let stamping = "extendedKeyUsage=critical,timeStamping";
    let of = |more: &str| format!("{stamping}\n{more}");
    let extensions = [
        stamping.to_owned(),
        of("keyUsage=digitalSignature"),
        // From here on none may stamp.
        "extendedKeyUsage=timeStamping".to_owned(),
        "extendedKeyUsage=critical,timeStamping,serverAuth".to_owned(),
        "extendedKeyUsage=critical,serverAuth".to_owned(),
        "keyUsage=digitalSignature".to_owned(),
        of("keyUsage=keyEncipherment"),
        of("basicConstraints=critical,CA:TRUE"),
        of("nameConstraints=critical,permitted;DNS:x"),
    ];
    let texts: Vec<&str> = extensions.iter().map(String::as_str).collect();
    let made = issued(&texts);
    let certificates: Vec<Certificate<'_>> =
        made.iter().map(|bytes| Certificate::parse(bytes).unwrap()).collect();
    let (root, leaves) = certificates.split_first().unwrap();
    let roots = std::slice::from_ref(root);
    let now = now();
    for (number, leaf) in leaves.iter().enumerate() {
        assert_eq!(leads_to(roots, leaf, &[], now), number < 2, "{}", extensions[number]);
    }
    let day = 24 * 60 * 60 * 1000;
    for (days, valid) in [(-1, false), (8, true), (10, false)] {
        let at = Timestamp::from_unix_millis(now.unix_millis() + days * day).unwrap();
        assert_eq!(leads_to(roots, &leaves[0], &[], at), valid, "{days} days");
    }
    assert!(!leads_to(&[], &leaves[0], roots, now), "a root that only the evidence names");
}

#[test]
fn times_are_read_in_both_forms() {
    let read =
        |bytes: &[u8]| certificate::time(Item::only(bytes, bytes[0]).ok()).map(|at| at.to_string()).ok();
    assert_eq!(read(b"\x17\x0d261121020629Z").unwrap(), "2026-11-21T02:06:29.000Z");
    assert_eq!(read(b"\x17\x0d491231235959Z").unwrap(), "2049-12-31T23:59:59.000Z");
    assert_eq!(read(b"\x17\x0d500101000000Z").unwrap(), "1950-01-01T00:00:00.000Z");
    assert_eq!(read(b"\x18\x0f20261121020629Z").unwrap(), "2026-11-21T02:06:29.000Z");
    assert_eq!(read(b"\x18\x1320261121020629.12Z"), None, "the length is not that of the text");
    assert_eq!(read(b"\x18\x1220261121020629.12Z").unwrap(), "2026-11-21T02:06:29.120Z");
    for wrong in [
        &b"\x18\x0e20261121020629"[..],
        b"\x18\x0f20261321020629Z",
        b"\x17\x0f20261121020629Z",
        b"\x17\x0d26112102062+Z",
    ] {
        assert_eq!(read(wrong), None);
    }
}
