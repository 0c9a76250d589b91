//! What libpq's `sslmode` means for our own connections.
//!
//! `disable`: none. `allow`, `prefer`: encrypted if the server can, certificate not checked. `require`: encrypted.
//! `verify-ca`: the certificate leads to a root we were given. `verify-full`: and it is the host's. As in libpq, a root
//! file that is there is used in every mode but `disable`. What we cannot enforce, such as revocation lists, is refused
//! before (`enforce.rs`).

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};

use super::Dsn;
use crate::error::{Code, Error, Result};

/// Whether a connection is encrypted, and what happens when that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    Never,
    /// Tried first in the other order only by libpq's `allow`; both end encrypted or plain as the server likes.
    IfPossible,
    Always,
}

/// The mode in force: as with libpq, `sslrootcert=system` raises the default.
pub(super) fn mode(dsn: &Dsn) -> &str {
    let default = || match dsn.parameter("sslrootcert") {
        Some("system") => "verify-full",
        _ if dsn.parameter("requiressl").is_some_and(|value| value.starts_with('1')) => "require",
        _ => "prefer",
    };
    dsn.parameter("sslmode").unwrap_or_else(default)
}

pub(super) fn encryption(dsn: &Dsn) -> Encryption {
    match mode(dsn) {
        "disable" => Encryption::Never,
        "require" | "verify-ca" | "verify-full" => Encryption::Always,
        _ => Encryption::IfPossible,
    }
}

/// The TLS settings that the connection string asks for.
pub(super) fn client_config(dsn: &Dsn) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier { depth: depth(dsn)?, provider: provider.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(dsn)?)
        .map_err(|error| {
            Error::new(Code::Internal, "TLS versions do not fit the cryptography").with_source(error)
        })?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match client_certificate(dsn)? {
        None => config.with_no_client_auth(),
        Some((chain, key)) => config.with_client_auth_cert(chain, key).map_err(|error| {
            invalid("client certificate and key do not fit each other (sslcert, sslkey)").with_source(error)
        })?,
    };
    config.enable_sni = dsn.parameter("sslsni") != Some("0");
    if dsn.parameter("sslnegotiation") == Some("direct") {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(config)
}

/// The versions allowed by `ssl_min_protocol_version` and `ssl_max_protocol_version`; never one before 1.2.
fn versions(dsn: &Dsn) -> Result<Vec<&'static SupportedProtocolVersion>> {
    let is_newest = |keyword| dsn.parameter(keyword) == Some("TLSv1.3");
    let is_older = |keyword| dsn.parameter(keyword) == Some("TLSv1.2");
    match (is_newest("ssl_min_protocol_version"), is_older("ssl_max_protocol_version")) {
        (true, true) => Err(invalid("ssl_min_protocol_version is above ssl_max_protocol_version")),
        (true, false) => Ok(vec![&TLS13]),
        (false, true) => Ok(vec![&TLS12]),
        (false, false) => Ok(vec![&TLS13, &TLS12]),
    }
}

#[derive(Debug)]
enum Depth {
    /// Any certificate will do.
    Nothing,
    Chain(Roots),
    ChainAndName(Roots),
}

#[derive(Debug)]
struct Roots {
    webpki: Arc<WebPkiServerVerifier>,
    /// The same roots as they stand in the file: a server may show one of them itself (self-signed).
    given: Vec<CertificateDer<'static>>,
}

fn depth(dsn: &Dsn) -> Result<Depth> {
    let mode = mode(dsn);
    let roots = if dsn.parameter("sslrootcert") == Some("system") {
        let found = rustls_native_certs::load_native_certs();
        Some(roots(found.certs, "system")?)
    } else {
        let named = dsn.parameter("sslrootcert").filter(|path| !path.is_empty()).map(PathBuf::from);
        let file =
            named.or_else(|| Some(dsn.home()?.join(".postgresql/root.crt"))).filter(|file| file.exists());
        file.map(|file| roots(certificates(&file)?, &file.display().to_string())).transpose()?
    };
    match (mode, roots) {
        ("verify-full", Some(roots)) => Ok(Depth::ChainAndName(roots)),
        (_, Some(roots)) => Ok(Depth::Chain(roots)),
        ("verify-ca" | "verify-full", None) => Err(invalid(format!(
            "no root certificate to verify the server with: set sslrootcert to a file or to `system` sslmode={mode}"
        ))),
        (_, None) => Ok(Depth::Nothing),
    }
}

fn roots(given: Vec<CertificateDer<'static>>, name: &str) -> Result<Roots> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(given.iter().cloned());
    let webpki =
        WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::new(aws_lc_rs::default_provider()))
            .build()
            .map_err(|error| {
                invalid(format!("no usable root certificate sslrootcert={name:?}")).with_source(error)
            })?;
    Ok(Roots { webpki, given })
}

fn certificates(file: &std::path::Path) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |error| {
        invalid(format!("certificate file cannot be read file={:?}", file.display())).with_source(error)
    };
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error: rustls::pki_types::pem::Error| unreadable(error))
}

type ClientCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_certificate(dsn: &Dsn) -> Result<Option<ClientCertificate>> {
    if dsn.parameter("sslcertmode") == Some("disable") {
        return Ok(None);
    }
    let file = |keyword, default: &str| {
        dsn.parameter(keyword)
            .map(PathBuf::from)
            .or_else(|| Some(dsn.home()?.join(".postgresql").join(default)))
    };
    let chosen = file("sslcert", "postgresql.crt").zip(file("sslkey", "postgresql.key"));
    let Some((certificate, key)) = chosen.filter(|(certificate, _)| certificate.exists()) else {
        return Ok(None);
    };
    if std::fs::metadata(&key).is_ok_and(|metadata| is_exposed(&metadata)) {
        return Err(invalid(format!("others may read the key file (chmod 600) file={:?}", key.display())));
    }
    let key = PrivateKeyDer::from_pem_file(&key).map_err(|error| {
        invalid(format!("key file cannot be read file={:?}", key.display())).with_source(error)
    })?;
    Ok(Some((certificates(&certificate)?, key)))
}

/// As libpq has it: readable by its owner only, or, where that is root, by a group too.
#[cfg(unix)]
fn is_exposed(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    metadata.mode() & forbidden != 0
}

#[cfg(not(unix))]
fn is_exposed(_metadata: &std::fs::Metadata) -> bool {
    false
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::DsnInvalid, message)
}

#[derive(Debug)]
struct Verifier {
    depth: Depth,
    provider: Arc<CryptoProvider>,
}

impl Roots {
    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
        check_name: bool,
    ) -> Result<(), rustls::Error> {
        if self.given.iter().any(|root| root == certificate) {
            self.check_time(certificate, name, now)?;
            return if check_name {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)
            } else {
                Ok(())
            };
        }
        // The name is the last thing looked at, so a wrong one says that the chain is good.
        match self.webpki.verify_server_cert(certificate, intermediates, name, &[], now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !check_name => Ok(()),
            other => other.map(drop),
        }
    }

    /// Whether a certificate that needs no chain is read and valid now. Its time is the first thing looked at, so any
    /// later complaint, such as that nobody we know signed it, says that the time is right.
    fn check_time(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        use CertificateError::{BadEncoding, Expired, ExpiredContext, NotValidYet, NotValidYetContext};
        ParsedCertificate::try_from(certificate)?;
        match self.webpki.verify_server_cert(certificate, &[], name, &[], now) {
            Err(
                wrong @ rustls::Error::InvalidCertificate(
                    BadEncoding | Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
                ),
            ) => Err(wrong),
            _ => Ok(()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.depth {
            Depth::Nothing => Ok(()),
            Depth::Chain(roots) => roots.verify(certificate, intermediates, name, now, false),
            Depth::ChainAndName(roots) => roots.verify(certificate, intermediates, name, now, true),
        }
        .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
