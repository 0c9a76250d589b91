//! Connection strings as libpq takes them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{Code, Error, Result};
use crate::secret::Secret;

mod parse;
#[cfg(test)]
mod tests;

/// Where a Postgres database is and how to log in: a `postgres://` URL or `key=value` pairs, with libpq's meaning.
///
/// The password is kept apart from everything else. It reaches a client program through `PGPASSWORD` and never
/// shows in arguments, `Display`, `Debug` or errors.
///
/// ```
/// use walwarden_core::source::Dsn;
///
/// let dsn: Dsn = "postgres://app:s%3Acret@db.example.com/shop?sslmode=verify-full".parse()?;
/// assert_eq!((dsn.host(), dsn.port(), dsn.dbname()), ("db.example.com", 5432, "shop"));
/// assert_eq!(dsn.password().unwrap().expose(), "s:cret");
/// assert!(!format!("{dsn} {dsn:?}").contains("cret"));
/// # Ok::<(), walwarden_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Dsn {
    /// libpq keyword to value; `password` is never among them.
    parameters: BTreeMap<String, String>,
    password: Option<Secret>,
    environment: BTreeMap<String, String>,
}

impl Dsn {
    /// Reads a URL or key=value pairs.
    ///
    /// # Errors
    /// `dsn-invalid` when libpq would not understand it, or when it holds a secret other than the password, which
    /// could reach a client program only where every user of the machine can read it.
    pub fn parse(text: &str) -> Result<Dsn> {
        let mut parameters = parse::parameters(text)?;
        if let Some(keyword) = SECRETS.iter().find(|keyword| parameters.contains_key(**keyword)) {
            return Err(invalid(format!(
                "connection string holds a secret that cannot be passed on keyword={keyword}"
            )));
        }
        if parameters.contains_key("service") {
            return Err(invalid("service files are not read: write out host, user and dbname"));
        }
        let password = parameters.remove("password").filter(|text| !text.is_empty()).map(Secret::new);
        let dsn = Dsn { parameters, password, environment: BTreeMap::new() };
        dsn.checked()
    }

    /// Takes what libpq reads from the environment as defaults for what the connection string leaves open: variables
    /// that start with `PG`, and `HOME`, `PATH` and those of Kerberos and the dynamic linker. Others are ignored.
    ///
    /// # Errors
    /// `dsn-invalid` when a value such as `PGPORT` has no meaning.
    pub fn with_environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<Dsn> {
        for (name, value) in variables {
            if name == "PGPASSWORD" {
                self.password =
                    self.password.or_else(|| Some(Secret::new(value)).filter(|p| !p.expose().is_empty()));
            } else if OWN_VARIABLES.contains(&name.as_str()) {
                // Set by us, so that output is the same for everyone.
            } else if name.starts_with("PG") || PASSED_VARIABLES.contains(&name.as_str()) {
                self.environment.insert(name, value);
            }
        }
        self.checked()
    }

    /// The same with another database, for example `postgres` to create one.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Dsn {
        let mut dsn = self.clone();
        dsn.parameters.insert("dbname".to_owned(), name.to_owned());
        dsn
    }

    /// The same with this password.
    #[must_use]
    pub fn with_password(mut self, password: Secret) -> Dsn {
        self.password = Some(password);
        self
    }

    /// The first host: a name, an address, or the folder of a Unix socket. As with libpq, a connection string without
    /// any means this machine's socket: in `/var/run/postgresql`, or in `/tmp` where there is no such folder.
    pub fn host(&self) -> &str {
        let first = |keyword| self.parameter(keyword).and_then(|list| list.split(',').next());
        let given = first("host").filter(|host| !host.is_empty()).or_else(|| first("hostaddr"));
        given.filter(|host| !host.is_empty()).unwrap_or_else(|| socket_dir())
    }

    /// The first port.
    pub fn port(&self) -> u16 {
        let first = self.parameter("port").and_then(|list| list.split(',').next());
        first.and_then(|port| port.trim().parse().ok()).unwrap_or(DEFAULT_PORT)
    }

    /// The role to log in as; none means whatever the operating system calls the user.
    pub fn user(&self) -> Option<&str> {
        self.parameter("user").filter(|user| !user.is_empty())
    }

    /// The database. As with libpq, it bears the user's name when the connection string has none; where that is open,
    /// too, it is `postgres`.
    pub fn dbname(&self) -> &str {
        self.parameter("dbname").filter(|name| !name.is_empty()).or(self.user()).unwrap_or("postgres")
    }

    /// The password, from the connection string or `PGPASSWORD`.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The value of a libpq keyword, from the connection string or else from its environment variable. Never the
    /// password.
    pub fn parameter(&self, keyword: &str) -> Option<&str> {
        let variable = || KEYWORDS.iter().find(|(known, _)| *known == keyword).map(|(_, variable)| *variable);
        let from_environment = || self.environment.get(variable()?);
        self.parameters.get(keyword).or_else(from_environment).map(String::as_str)
    }

    /// Key=value pairs for a client program's arguments, where every user of the machine can read them. Host and database
    /// are always among them, unless the environment has them, so that no program follows a default of its own.
    pub fn libpq_conninfo_without_password(&self) -> String {
        let mut text = String::new();
        let mut parameters: BTreeMap<&str, &str> =
            self.parameters.iter().map(|(keyword, value)| (keyword.as_str(), value.as_str())).collect();
        let is_open = |keyword| self.parameter(keyword).is_none_or(str::is_empty);
        if is_open("host") && is_open("hostaddr") {
            parameters.insert("host", self.host());
        }
        if is_open("dbname") {
            parameters.insert("dbname", self.dbname());
        }
        for (keyword, value) in parameters {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(keyword);
            text.push_str("='");
            text.push_str(&value.replace('\\', "\\\\").replace('\'', "\\'"));
            text.push('\'');
        }
        text
    }

    /// The same, with a setting for the sessions of client programs, after those that the connection string makes. Poolers
    /// may refuse it.
    pub(crate) fn with_session_setting(&self, name: &str, value: &str) -> Dsn {
        let mut dsn = self.clone();
        let known = self.parameter("options").unwrap_or_default();
        let options = format!("{known} -c {name}={value}").trim_start().to_owned();
        dsn.parameters.insert("options".to_owned(), options);
        dsn
    }

    /// The whole environment of a client program: what [`with_environment`](Self::with_environment) took, the
    /// password, and settings that make messages and data independent of the machine (`LC_ALL=C`, `PGTZ=UTC`).
    pub fn child_environment(&self) -> Vec<(&str, Secret)> {
        let mut variables: Vec<(&str, Secret)> = self
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), Secret::new(value.as_str())))
            .collect();
        if !self.environment.contains_key("PATH") {
            variables.push(("PATH", Secret::new("/usr/local/bin:/usr/bin:/bin")));
        }
        variables.push(("LC_ALL", Secret::new("C")));
        variables.push(("PGTZ", Secret::new("UTC")));
        variables.push(("PGCLIENTENCODING", Secret::new("UTF8")));
        if let Some(password) = &self.password {
            variables.push(("PGPASSWORD", password.clone()));
        }
        variables
    }

    /// Replaces the password wherever it stands in `text`, for what servers and programs say.
    pub fn mask(&self, text: &str) -> String {
        match &self.password {
            // Very short ones would tear holes into every word; they do not protect anything either.
            Some(password) if password.expose().len() >= 4 => text.replace(password.expose(), "…"),
            _ => text.to_owned(),
        }
    }

    /// Every host with its port, in the order in which they are tried.
    pub(crate) fn hosts(&self) -> Vec<HostPort> {
        let list =
            |keyword| self.parameter(keyword).map(|list| list.split(',').map(str::trim).collect::<Vec<_>>());
        let (names, addresses) = (list("host"), list("hostaddr"));
        let ports = list("port").unwrap_or_default();
        let count = names.as_ref().or(addresses.as_ref()).map_or(1, Vec::len);
        let item = |list: &Option<Vec<&'_ str>>, at: usize| -> Option<String> {
            list.as_ref()?.get(at).filter(|text| !text.is_empty()).map(|text| (*text).to_owned())
        };
        (0..count)
            .map(|at| HostPort {
                name: item(&names, at)
                    .or_else(|| item(&addresses, at).is_none().then(|| socket_dir().to_owned())),
                address: item(&addresses, at),
                port: ports
                    .get(at)
                    .or(ports.first())
                    .and_then(|port| port.parse().ok())
                    .unwrap_or(DEFAULT_PORT),
            })
            .collect()
    }

    /// The user's home folder, as the environment has it.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.environment.get("HOME").map(PathBuf::from)
    }

    fn checked(self) -> Result<Dsn> {
        if let Some(keyword) =
            self.parameters.keys().find(|keyword| !KEYWORDS.iter().any(|(known, _)| known == keyword))
        {
            // What looks like a keyword may be the rest of a password that was not quoted or encoded.
            if self.password.is_some() || self.parameters.values().any(|value| value.contains('@')) {
                return Err(invalid(
                    "connection string has an unknown keyword (in a URL, `?`, `&`, `/` and `@` of a password are written \
                     as %3F, %26, %2F, %40; in key=value pairs, a password with blanks stands in quotes)",
                ));
            }
            return Err(invalid(format!("connection string has an unknown keyword keyword={keyword:?}")));
        }
        let ports = self.parameter("port").unwrap_or_default();
        if !ports.split(',').map(str::trim).all(is_port) {
            return Err(bad_port());
        }
        let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
        match self.parameter("sslmode") {
            // Not repeated: it may end in the rest of a password.
            Some(mode) if !modes.contains(&mode) => {
                Err(invalid(format!("sslmode is none of {}", modes.join(", "))))
            }
            _ => Ok(self),
        }
    }
}

/// Where the machine's own server has its socket: the packages' folder, or PostgreSQL's own default.
pub(crate) fn socket_dir() -> &'static str {
    if Path::new(PACKAGED_SOCKET_DIR).is_dir() { PACKAGED_SOCKET_DIR } else { "/tmp" }
}

/// One place to connect to.
#[derive(Debug)]
pub(crate) struct HostPort {
    /// Name for lookup and certificate check, or a socket folder.
    pub(crate) name: Option<String>,
    /// Address that saves the lookup.
    pub(crate) address: Option<String>,
    pub(crate) port: u16,
}

impl HostPort {
    pub(crate) fn is_socket(&self) -> bool {
        self.name.as_ref().is_some_and(|name| name.starts_with('/'))
    }
}

impl FromStr for Dsn {
    type Err = Error;

    fn from_str(text: &str) -> Result<Dsn> {
        Dsn::parse(text)
    }
}

/// The connection string with the password masked.
impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.libpq_conninfo_without_password())?;
        if self.password.is_some() { f.write_str(" password=…") } else { Ok(()) }
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({self})")
    }
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn bad_port() -> Error {
    invalid(
        "port is not a number from 1 to 65535 (a `/`, `@` or `:` in the password is written as %2F, %40, %3A)",
    )
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::DsnInvalid, message)
}

const DEFAULT_PORT: u16 = 5432;
const PACKAGED_SOCKET_DIR: &str = "/var/run/postgresql";

/// Keywords whose values are secrets without an environment variable of their own.
const SECRETS: [&str; 4] = ["sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"];

/// Variables that are not the machine's to set.
const OWN_VARIABLES: [&str; 4] = ["PGTZ", "PGCLIENTENCODING", "PGDATESTYLE", "PGSERVICE"];

/// Variables that client programs need beside `PG…`.
const PASSED_VARIABLES: [&str; 9] = [
    "PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "KRB5CCNAME",
    "KRB5_CONFIG",
    "KRB5_KTNAME",
    "OPENSSL_CONF",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// libpq's keywords (PostgreSQL 18) and their environment variables.
const KEYWORDS: [(&str, &str); 49] = [
    ("application_name", "PGAPPNAME"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("client_encoding", ""),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("dbname", "PGDATABASE"),
    ("fallback_application_name", ""),
    ("gssdelegation", "PGGSSDELEGATION"),
    ("gssencmode", "PGGSSENCMODE"),
    ("gsslib", "PGGSSLIB"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("keepalives", ""),
    ("keepalives_count", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("krbsrvname", "PGKRBSRVNAME"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION"),
    ("min_protocol_version", "PGMINPROTOCOLVERSION"),
    ("oauth_client_id", ""),
    ("oauth_client_secret", ""),
    ("oauth_issuer", ""),
    ("oauth_scope", ""),
    ("options", "PGOPTIONS"),
    ("passfile", "PGPASSFILE"),
    ("password", ""),
    ("port", "PGPORT"),
    ("replication", ""),
    ("require_auth", "PGREQUIREAUTH"),
    ("requirepeer", "PGREQUIREPEER"),
    ("requiressl", "PGREQUIRESSL"),
    ("scram_client_key", ""),
    ("scram_server_key", ""),
    ("service", ""),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("sslcert", "PGSSLCERT"),
    ("sslcertmode", "PGSSLCERTMODE"),
    ("sslcompression", "PGSSLCOMPRESSION"),
    ("sslcrl", "PGSSLCRL"),
    ("sslcrldir", "PGSSLCRLDIR"),
    ("sslkey", "PGSSLKEY"),
    ("sslmode", "PGSSLMODE"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslsni", "PGSSLSNI"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("tcp_user_timeout", ""),
    ("user", "PGUSER"),
];
