use std::process::Command;
use std::time::Duration;

use super::*;

/// A self-signed certificate for localhost, valid for two days.
fn self_signed(is_ca: bool) -> CertificateDer<'static> {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("openssl")
        .args(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
                .split(' '),
        )
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext"])
        .arg(format!("basicConstraints=critical,CA:{}", if is_ca { "TRUE" } else { "FALSE" }))
        .args(["-keyout", "key.pem", "-out", "server.crt"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    CertificateDer::from_pem_file(folder.path().join("server.crt")).unwrap()
}

#[test]
fn a_certificate_that_is_its_own_root_counts_only_in_its_time() {
    const DAY: Duration = Duration::from_secs(86_400);
    #[allow(clippy::disallowed_methods)] // openssl dates what it makes by the real clock
    let made = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    for is_ca in [true, false] {
        let certificate = self_signed(is_ca);
        let roots = roots(vec![certificate.clone()], "server.crt").unwrap();
        for check_name in [true, false] {
            let verify = |now: Duration| {
                roots.verify(&certificate, &[], &name, UnixTime::since_unix_epoch(now), check_name)
            };
            verify(made + DAY).unwrap();
            let expired = verify(made + 3 * DAY).unwrap_err().to_string();
            assert!(expired.contains("expired"), "{expired}");
            let early = verify(made - DAY).unwrap_err().to_string();
            assert!(early.contains("not valid yet"), "{early}");
        }
    }
}
