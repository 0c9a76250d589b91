//! Where a destination is: a URL without secrets, and what opens it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::{Host, Url};

use super::{BucketStorage, LocalStorage, MemoryStorage, ObjectName, Storage};
use crate::clock::Random;
use crate::error::{Code, Error, Result};
use crate::secret::Secret;

/// Where a destination is. Holds no secret, so it may be shown, logged and stored.
///
/// | form | meaning |
/// |---|---|
/// | `file:///srv/backups`, `/srv/backups` | a folder; its last part is made on request ([`Options::make_folder`]) |
/// | `s3://bucket/prefix?region=…` | a bucket on AWS |
/// | `s3://bucket/prefix?endpoint=https://…` | a bucket on any S3-compatible server |
/// | `gs://bucket/prefix` | a Google Cloud Storage bucket; never run against a server |
/// | `az://account/container/prefix` | an Azure Blob Storage container |
/// | `memory://name` | nothing outlives the process; for trying things out |
///
/// The prefix may be left out. Parameters, all optional:
///
/// - `region`: the bucket's region (S3; `us-east-1` when left out);
/// - `endpoint`: base URL of a server that is not the provider's own (S3, Azure);
/// - `path_style=false`: put the bucket into the host name; with an `endpoint` it stands in the path otherwise (S3);
/// - `allow_http=true`: accept a plain `http` endpoint that is not on this machine;
/// - `part_mib`: fixed size of an upload's parts in MiB, 5 to 4096; 10,000 parts are what stores take. Without it parts
///   start at 8 MiB and grow, so that they hold 5.9 TiB; [`BucketStorage`] says what that costs in memory. Cloudflare R2
///   wants parts of one size: there the default is 64.
///
/// `gs://` is checked here only as far as its URL goes: no Google Cloud Storage server can be had for tests.
///
/// ```
/// use walwarden_core::storage::{Location, Scheme};
///
/// let location = Location::parse("s3://backups/prod?region=eu-central-1")?;
/// assert_eq!(location.scheme(), Scheme::S3);
/// assert_eq!(location.to_string(), "s3://backups/prod?region=eu-central-1");
/// assert!(Location::parse("s3://key:secret@backups/prod").is_err());
/// # Ok::<_, walwarden_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location(pub(super) Place);

/// The kind of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// A local folder.
    File,
    /// A value in memory.
    Memory,
    /// An S3-compatible bucket.
    S3,
    /// A Google Cloud Storage bucket.
    Gs,
    /// An Azure Blob Storage container.
    Az,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    File(PathBuf),
    Memory(String),
    Bucket(BucketPlace),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BucketPlace {
    pub(super) scheme: Scheme,
    /// The storage account; Azure only.
    pub(super) account: Option<String>,
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<Url>,
    pub(super) path_style: Option<bool>,
    pub(super) allow_http: bool,
    pub(super) part_mib: Option<u64>,
}

/// What opening a destination takes besides its [`Location`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// Credentials by name; [`Location::credential_names`] says which names a destination knows.
    pub credentials: BTreeMap<String, Secret>,
    /// How long to try when a store does not answer well.
    pub patience: Patience,
    /// Make the last part of a local folder that is missing ([`LocalStorage::create`]), rather than fail.
    pub make_folder: bool,
}

impl Options {
    /// The same with one more credential.
    #[must_use]
    pub fn with_credential(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.credentials.insert(name.into(), value);
        self
    }

    /// The same with the credentials that the provider's own tools would find in an environment, for a destination: each under
    /// its name in upper case (`AWS_SECRET_ACCESS_KEY`). Empty ones count as unset.
    ///
    /// # Errors
    /// What `variable` fails with.
    pub fn with_environment(
        mut self,
        location: &Location,
        variable: impl Fn(&str) -> Result<Option<String>>,
    ) -> Result<Self> {
        for name in location.credential_names() {
            if let Some(value) = variable(&name.to_ascii_uppercase())?.filter(|value| !value.is_empty()) {
                self = self.with_credential(*name, Secret::new(value));
            }
        }
        Ok(self)
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// The same, for a local destination that may be new.
    #[must_use]
    pub fn with_new_folder(mut self) -> Self {
        self.make_folder = true;
        self
    }
}

/// How often and how long one request is tried before the store counts as unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Tries altogether, the first included.
    pub tries: u32,
    /// Pause before the second try; doubles each time, up to 20 times this, and is shortened at random by up to half.
    pub first_pause: Duration,
    /// No further try begins so long after the first one failed.
    pub limit: Duration,
    /// A connection that delivers nothing for this long is given up.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            tries: 10,
            first_pause: Duration::from_millis(500),
            limit: Duration::from_secs(180),
            silence: Duration::from_secs(60),
        }
    }
}

/// Opens a destination.
///
/// # Errors
/// `argument-invalid` for a credential that the destination does not know; `destination-invalid` for one, or a parameter,
/// that cannot be used; for a folder also as [`LocalStorage::open`]. A bucket is not contacted before the first call.
pub async fn open(
    location: &Location,
    options: &Options,
    random: Arc<dyn Random>,
) -> Result<Arc<dyn Storage>> {
    let known = location.credential_names();
    if let Some(name) = options.credentials.keys().find(|name| !known.contains(&name.as_str())) {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let message = format!("the destination knows no such credential credential={name} known={known}");
        return Err(Error::new(Code::ArgumentInvalid, message));
    }
    Ok(match &location.0 {
        Place::Memory(_) => Arc::new(MemoryStorage::new()),
        Place::File(path) if options.make_folder => Arc::new(LocalStorage::create(path, random).await?),
        Place::File(path) => Arc::new(LocalStorage::open(path, random).await?),
        Place::Bucket(place) => Arc::new(BucketStorage::open(place, options, random)?),
    })
}

impl Location {
    /// Reads a URL or an absolute path.
    ///
    /// # Errors
    /// `destination-invalid`. The message never repeats the text, which may hold a secret by mistake.
    pub fn parse(text: &str) -> Result<Self> {
        if text.starts_with('/') {
            return Ok(Location(Place::File(PathBuf::from(text))));
        }
        let url = Url::parse(text).map_err(|error| invalid("destination is no URL").with_source(error))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("destination URL contains credentials; they do not belong there"));
        }
        if url.fragment().is_some() {
            return Err(invalid("destination URL contains a #fragment"));
        }
        match url.scheme() {
            "file" => file(&url),
            "memory" => memory(&url),
            "s3" => bucket(&url, Scheme::S3, &["region", "endpoint", "path_style", "allow_http", "part_mib"]),
            "gs" => bucket(&url, Scheme::Gs, &["part_mib"]),
            "az" => bucket(&url, Scheme::Az, &["endpoint", "allow_http", "part_mib"]),
            _ => Err(invalid("destination scheme is not one of file, s3, gs, az, memory")),
        }
    }

    /// The kind of destination.
    pub fn scheme(&self) -> Scheme {
        match &self.0 {
            Place::File(_) => Scheme::File,
            Place::Memory(_) => Scheme::Memory,
            Place::Bucket(place) => place.scheme,
        }
    }

    /// The folder of a local destination.
    pub fn folder(&self) -> Option<&Path> {
        match &self.0 {
            Place::File(folder) => Some(folder),
            Place::Memory(_) | Place::Bucket(_) => None,
        }
    }

    /// Names of the credentials this destination understands, all optional. In upper case they are the environment
    /// variables that the provider's own tools read.
    pub fn credential_names(&self) -> &'static [&'static str] {
        match self.scheme() {
            Scheme::File | Scheme::Memory => &[],
            Scheme::S3 => S3_CREDENTIALS,
            Scheme::Gs => GS_CREDENTIALS,
            Scheme::Az => AZ_CREDENTIALS,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::File(path) => match Url::from_file_path(path) {
                Ok(url) => url.fmt(f),
                Err(()) => write!(f, "file://{}", path.display()),
            },
            Place::Memory(name) => write!(f, "memory://{name}"),
            Place::Bucket(place) => place.fmt(f),
        }
    }
}

impl fmt::Display for BucketPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.scheme, &self.account) {
            (Scheme::Az, Some(account)) => write!(f, "az://{account}/{}", self.bucket)?,
            (Scheme::Gs, _) => write!(f, "gs://{}", self.bucket)?,
            _ => write!(f, "s3://{}", self.bucket)?,
        }
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(region) = &self.region {
            query.append_pair("region", region);
        }
        if let Some(endpoint) = &self.endpoint {
            query.append_pair("endpoint", endpoint.as_str().trim_end_matches('/'));
        }
        if let Some(path_style) = self.path_style {
            query.append_pair("path_style", if path_style { "true" } else { "false" });
        }
        if self.allow_http {
            query.append_pair("allow_http", "true");
        }
        if let Some(part_mib) = self.part_mib {
            query.append_pair("part_mib", &part_mib.to_string());
        }
        let query = query.finish();
        if query.is_empty() { Ok(()) } else { write!(f, "?{query}") }
    }
}

fn file(url: &Url) -> Result<Location> {
    if url.query().is_some() {
        return Err(invalid("file:// takes no parameters"));
    }
    match url.to_file_path() {
        Ok(path) if path.is_absolute() => Ok(Location(Place::File(path))),
        _ => Err(invalid("file:// needs an absolute path on this machine, as in file:///srv/backups")),
    }
}

fn memory(url: &Url) -> Result<Location> {
    match (url.host_str(), url.path(), url.query()) {
        (Some(name), "" | "/", None) => Ok(Location(Place::Memory(name.to_owned()))),
        _ => Err(invalid("memory:// takes a single name, as in memory://example")),
    }
}

fn bucket(url: &Url, scheme: Scheme, known: &[&str]) -> Result<Location> {
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| invalid("destination URL names no bucket"))?.to_owned();
    if url.port().is_some() {
        return Err(invalid("destination URL has a port; name a server with ?endpoint="));
    }
    let path = url.path().trim_matches('/');
    let (account, bucket, prefix) = match scheme {
        Scheme::Az => {
            let (container, prefix) = path.split_once('/').unwrap_or((path, ""));
            if container.is_empty() {
                return Err(invalid("az:// names an account and a container, as in az://account/container"));
            }
            (Some(host), container.to_owned(), prefix)
        }
        _ => (None, host, path),
    };
    if !prefix.is_empty() {
        ObjectName::new(prefix)
            .map_err(|_| invalid("destination prefix may hold only letters, digits and . _ - /"))?;
    }
    let mut place = BucketPlace {
        scheme,
        account,
        bucket,
        prefix: prefix.to_owned(),
        region: None,
        endpoint: None,
        path_style: None,
        allow_http: false,
        part_mib: None,
    };
    let mut seen = Vec::new();
    for (key, value) in url.query_pairs() {
        if !known.contains(&key.as_ref()) {
            return Err(invalid(format!(
                "destination has an unknown parameter; known: {}",
                known.join(", ")
            )));
        }
        if seen.contains(&key) {
            return Err(invalid(format!("destination parameter stands twice parameter={key}")));
        }
        match key.as_ref() {
            "region" => place.region = Some(value.into_owned()),
            "endpoint" => place.endpoint = Some(endpoint(&value)?),
            "path_style" => place.path_style = Some(switch(&key, &value)?),
            "allow_http" => place.allow_http = switch(&key, &value)?,
            _ => place.part_mib = Some(part_mib(&value)?),
        }
        seen.push(key);
    }
    match &place.endpoint {
        Some(endpoint) if endpoint.scheme() == "http" && !place.allow_http && !is_loopback(endpoint) => {
            Err(invalid("endpoint is plain http on another machine; use https, or add allow_http=true"))
        }
        _ => Ok(Location(Place::Bucket(place))),
    }
}

fn endpoint(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|error| invalid("endpoint is no URL").with_source(error))?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.has_host();
    if !plain || !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("endpoint is not a plain http or https URL"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn switch(key: &str, value: &str) -> Result<bool> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(format!("destination parameter is neither true nor false parameter={key}"))),
    }
}

fn part_mib(value: &str) -> Result<u64> {
    let parsed = value.parse().ok().filter(|mib| (5..=4096).contains(mib));
    parsed.ok_or_else(|| invalid("part_mib is not a whole number from 5 to 4096"))
}

pub(super) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::DestinationInvalid, message)
}

const S3_CREDENTIALS: &[&str] = &[
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_region",
    "aws_default_region",
    "aws_web_identity_token_file",
    "aws_role_arn",
    "aws_role_session_name",
    "aws_container_credentials_relative_uri",
    "aws_container_credentials_full_uri",
    "aws_container_authorization_token_file",
];
const GS_CREDENTIALS: &[&str] =
    &["google_service_account", "google_service_account_key", "google_application_credentials"];
const AZ_CREDENTIALS: &[&str] = &[
    "azure_storage_account_key",
    "azure_storage_sas_token",
    "azure_client_id",
    "azure_client_secret",
    "azure_tenant_id",
    "azure_federated_token_file",
    "azure_identity_endpoint",
];

#[cfg(test)]
mod tests;
