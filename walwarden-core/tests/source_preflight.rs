//! Looking at real servers before a dump: logins, TLS, rights, findings.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

use std::path::{Path, PathBuf};
use std::process::Command;

use walwarden_core::Code;
use walwarden_core::source::{ClientSearch, ClientSet, Codec, Dsn, Preflight, Severity, connect, preflight};
use walwarden_testkit::postgres::{self, MAJORS, PASSWORD, Postgres, USER};
use walwarden_testkit::torture::{self, Torture};

async fn clients(majors: &[u32]) -> ClientSet {
    let dirs = majors.iter().map(|major| postgres::bin_dir(*major)).collect();
    ClientSet::find(&ClientSearch { dirs, path: None, well_known: false }).await
}

fn dsn(text: &str) -> Dsn {
    text.parse().unwrap()
}

fn codes(seen: &Preflight, severity: Severity) -> Vec<(&'static str, &str)> {
    let findings = seen.findings.iter().filter(|finding| finding.severity == severity);
    findings.map(|finding| (finding.code, finding.object.as_str())).collect()
}

#[tokio::test]
async fn the_torture_database_is_seen_alike_on_every_major() {
    let clients = clients(&MAJORS).await;
    for major in MAJORS {
        let server = postgres::shared(major);
        let database = server.fresh_database("seen Ä").await;
        let contrib = torture::has_contrib(&postgres::bin_dir(major));
        server.sql(&database, &Torture { contrib, ..Torture::default() }.sql()).await;
        let seen = preflight(&dsn(&server.dsn(&database)), &clients, Codec::Gzip).await.unwrap();
        assert_eq!(
            (seen.major, seen.database.as_str(), seen.encoding.as_str()),
            (major, database.as_str(), "UTF8")
        );
        assert!(seen.server_version.starts_with(&format!("{major}.")) && !seen.server_version.contains(' '));
        assert_eq!((seen.role.as_str(), seen.large_objects), (USER, 4));
        assert_eq!(seen.tables, if contrib { 14 } else { 13 }, "server {major}");
        assert!(seen.size_bytes > 5_000_000);
        assert_eq!(seen.extensions.len(), if contrib { 3 } else { 0 });
        assert!(seen.is_clear(), "{:?}", seen.findings);
        let infos = codes(&seen, Severity::Info);
        assert_eq!(infos, [("foreign-table", "shop.far_away"), ("unlogged-table", "shop.session")]);
    }
}

#[tokio::test]
async fn what_a_reader_may_not_read_is_named_with_the_right_it_needs() {
    let clients = clients(&[18]).await;
    for major in [14, 18] {
        let server = postgres::shared(major);
        let database = server.fresh_database("rights").await;
        let role = format!("limited_{major}");
        let sql = "CREATE SCHEMA closed; CREATE TABLE closed.inside (); CREATE TABLE readable AS SELECT 1; \
                   CREATE TABLE \"Un Readable\" (id serial); CREATE TABLE hidden AS SELECT 1; \
                   ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; SELECT lo_create(4711); SELECT lo_create(4712); \
                   GRANT SELECT ON LARGE OBJECT 4712 TO ROLE_; GRANT SELECT ON readable, hidden TO ROLE_; \
                   ALTER ROLE ROLE_ SET bytea_output = escape";
        server.sql(&database, &format!("CREATE ROLE {role} LOGIN PASSWORD 'pw-of-reader'")).await;
        server.sql(&database, &sql.replace("ROLE_", &role)).await;
        let reader = dsn(&server.dsn_as(&role, "pw-of-reader", &database));
        let seen = preflight(&reader, &clients, Codec::Zstd).await.unwrap();
        let expected = [
            ("schema-unusable", "closed"),
            ("table-unreadable", "closed.inside"),
            ("table-unreadable", "public.\"Un Readable\""),
            ("sequence-unreadable", "public.\"Un Readable_id_seq\""),
            ("row-security", "public.hidden"),
            ("large-object-unreadable", "large object 4711"),
        ];
        assert_eq!(codes(&seen, Severity::Error), expected, "server {major}");
        assert_eq!(codes(&seen, Severity::Warning), [("bytea-output", role.as_str())]);
        assert!(!seen.is_clear());
        assert!(seen.findings[2].what_to_do.contains("GRANT SELECT ON public.\"Un Readable\""));

        // The advice is right: with the rights named nothing is left but row security and the large object.
        server
            .sql(&database, &format!("GRANT pg_read_all_data TO {role}; ALTER ROLE {role} BYPASSRLS"))
            .await;
        let seen = preflight(&reader, &clients, Codec::Zstd).await.unwrap();
        assert_eq!(codes(&seen, Severity::Error), [("large-object-unreadable", "large object 4711")]);
    }
}

#[tokio::test]
async fn a_server_newer_than_every_client_is_an_error() {
    let seen = preflight(&dsn(&postgres::shared(18).dsn("postgres")), &clients(&[15, 17]).await, Codec::Gzip)
        .await
        .unwrap();
    assert_eq!(
        codes(&seen, Severity::Error),
        [("client-missing", format!("server {}", seen.server_version).as_str())]
    );
    assert!(
        seen.findings[0].what_to_do.contains("18 or later is needed; found: 15."),
        "{}",
        seen.findings[0]
    );
}

#[tokio::test]
async fn a_table_locked_now_is_a_warning_and_does_not_block() {
    let server = postgres::shared(17);
    let database = server.fresh_database("locked_now").await;
    server.sql(&database, "CREATE TABLE busy ()").await;
    let holder = server.connect(&database).await;
    holder.batch_execute("BEGIN; LOCK TABLE busy IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let seen = preflight(&dsn(&server.dsn(&database)), &clients(&[17]).await, Codec::Gzip).await.unwrap();
    assert_eq!(codes(&seen, Severity::Warning), [("locked-now", "public.busy")]);
}

#[tokio::test]
async fn logins_that_fail_are_told_apart() {
    let server = postgres::shared(15);
    server.create_database("closed_off").await;
    server.sql("postgres", "REVOKE CONNECT ON DATABASE closed_off FROM public").await;
    server.sql("postgres", "CREATE ROLE visitor LOGIN PASSWORD 'visitor-pw'").await;
    let port = server.port();
    for (text, code) in [
        (server.dsn_as(USER, "wrong-password", "postgres"), Code::SourceLoginRefused),
        (server.dsn_as("nobody", "wrong-password", "postgres"), Code::SourceLoginRefused),
        (format!("postgres://{USER}@127.0.0.1:{port}/postgres"), Code::SourceLoginRefused),
        (server.dsn("no such database"), Code::SourceDatabaseMissing),
        (server.dsn_as("visitor", "visitor-pw", "closed_off"), Code::SourcePermission),
        ("postgres://u:wrong-password@127.0.0.1:1/d".to_owned(), Code::SourceUnreachable),
        ("postgres://u:wrong-password@no-such-host.invalid/d".to_owned(), Code::SourceUnreachable),
        ("host=/no/such/folder user=u".to_owned(), Code::SourceUnreachable),
        (server.dsn("postgres") + "?sslmode=require", Code::SourceUnreachable),
        (server.dsn("postgres") + "?sslmode=verify-full&sslrootcert=/no/such/file", Code::DsnInvalid),
    ] {
        let error = connect(&dsn(&text)).await.unwrap_err();
        assert_eq!(error.code(), code, "{text}: {error:?}");
        assert!(!format!("{error:?}").contains("wrong-password"), "{error:?}");
    }
}

#[tokio::test]
async fn the_first_host_that_answers_is_used_and_environment_fills_in() {
    let server = postgres::shared(15);
    let text = format!("host=127.0.0.1,127.0.0.1 port=1,{} user={USER} dbname=postgres", server.port());
    let environment = [("PGPASSWORD".to_owned(), PASSWORD.to_owned())];
    let client = connect(&dsn(&text).with_environment(environment).unwrap()).await.unwrap();
    client.batch_execute("SELECT 1").await.unwrap();
    connect(&dsn(&server.socket_dsn("postgres"))).await.unwrap();
}

/// A server that is stopped, or a pooler without one, takes the connection and then says nothing.
#[tokio::test]
async fn a_host_that_takes_the_connection_and_stays_silent_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let held = tokio::spawn(async move {
        let mut connections = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            connections.push(connection);
        }
    });
    for mode in ["disable", "prefer", "verify-full&sslrootcert=system"] {
        let silent =
            dsn(&format!("postgres://u:wrong-password@127.0.0.1:{port}/d?connect_timeout=1&sslmode={mode}"));
        let outcome = tokio::time::timeout(std::time::Duration::from_secs(5), connect(&silent)).await;
        let error = outcome.expect("the login ends by itself").unwrap_err();
        assert_eq!(error.code(), Code::SourceUnreachable, "{mode}: {error}");
    }
    // The next host gets its turn.
    let server = postgres::shared(15);
    let text = format!(
        "host=127.0.0.1,127.0.0.1 port={port},{} user={USER} dbname=postgres connect_timeout=1",
        server.port()
    );
    let environment = [("PGPASSWORD".to_owned(), PASSWORD.to_owned())];
    connect(&dsn(&text).with_environment(environment).unwrap()).await.unwrap();
    held.abort();
}

#[tokio::test]
async fn the_password_is_looked_up_where_libpq_looks() {
    use std::os::unix::fs::PermissionsExt;
    let server = postgres::shared(15);
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".pgpass");
    let escaped = PASSWORD.replace('\\', "\\\\").replace(':', "\\:");
    let line =
        format!("# a comment\n127.0.0.1:1:*:*:wrong\n127.0.0.1:{}:*:{USER}:{escaped}\n", server.port());
    std::fs::write(&file, line).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let text = format!("postgres://{USER}@127.0.0.1:{}/postgres", server.port());
    let named = format!("{text}?passfile={}", file.display());
    let at_home = || dsn(&text).with_environment([("HOME".to_owned(), home.path().display().to_string())]);
    connect(&dsn(&named)).await.unwrap();
    connect(&at_home().unwrap()).await.unwrap();
    // Nothing is looked up that the caller did not name.
    assert_eq!(connect(&dsn(&text)).await.unwrap_err().code(), Code::SourceLoginRefused);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(connect(&at_home().unwrap()).await.unwrap_err().code(), Code::SourceLoginRefused);
}

/// Each of these guards something that libpq would enforce for pg_dump and that our own connection cannot.
#[tokio::test]
async fn what_cannot_be_enforced_is_refused_by_name() {
    let server = postgres::shared(15);
    for parameter in [
        "require_auth=scram-sha-256",
        "requirepeer=postgres",
        "gssencmode=require",
        "sslcertmode=require",
        "sslcrl=/some/list",
        "sslcrldir=/some/folder",
        "min_protocol_version=3.2",
        "ssl_max_protocol_version=TLSv1.1",
        "channel_binding=always",
        "sslnegotiation=direct",
        "sslrootcert=system&sslmode=require",
        "ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2",
    ] {
        let error = connect(&dsn(&format!("{}?{parameter}", server.dsn("postgres")))).await.unwrap_err();
        assert_eq!(error.code(), Code::DsnInvalid, "{parameter}: {error}");
        assert!(error.message().contains(parameter.split('=').next().unwrap()), "{parameter}: {error}");
    }
    // The system's roots are asked for a certificate in any case; this server has none.
    let system = server.dsn("postgres") + "?sslrootcert=system";
    assert_eq!(connect(&dsn(&system)).await.unwrap_err().code(), Code::SourceUnreachable);
}

// ---- TLS ----

#[tokio::test]
async fn sslmode_means_what_it_means_to_libpq() {
    let certificates = Certificates::make();
    let server = Postgres::start_prepared(17, &[("ssl", "on")], |data| {
        for name in ["server.crt", "server.key"] {
            std::fs::copy(certificates.file(name), data.join(name)).unwrap();
        }
    });
    let reach = async |host: &str, parameters: &str| {
        let login = server.dsn("postgres").replace("127.0.0.1", host);
        let client = connect(&dsn(&format!("{login}?{parameters}"))).await?;
        let row =
            client.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await.unwrap();
        Ok::<bool, walwarden_core::Error>(row.get(0))
    };
    let own = format!("&sslrootcert={}", certificates.file("ca.crt").display());
    let other = format!("&sslrootcert={}", certificates.file("other.crt").display());

    assert!(!reach("127.0.0.1", "sslmode=disable").await.unwrap());
    for mode in ["prefer", "allow", "require"] {
        assert!(reach("127.0.0.1", &format!("sslmode={mode}")).await.unwrap(), "{mode}");
    }
    // The certificate is for localhost only.
    assert!(reach("localhost", &format!("sslmode=verify-full{own}")).await.unwrap());
    assert!(reach("127.0.0.1", &format!("sslmode=verify-ca{own}")).await.unwrap());
    let refused = reach("127.0.0.1", &format!("sslmode=verify-full{own}")).await.unwrap_err();
    assert_eq!(refused.code(), Code::SourceUnreachable);
    assert!(refused.message().contains("not valid for name"), "{refused}");
    // A root that did not sign it: fails whenever encryption is demanded, falls back to plain when merely preferred.
    for mode in ["require", "verify-ca", "verify-full"] {
        assert!(reach("localhost", &format!("sslmode={mode}{other}")).await.is_err(), "{mode}");
    }
    assert!(!reach("localhost", &format!("sslmode=prefer{other}")).await.unwrap());
    // The server's own certificate given as root.
    let itself = format!("&sslrootcert={}", certificates.file("server.crt").display());
    assert!(reach("localhost", &format!("sslmode=verify-full{itself}")).await.unwrap());
    assert!(reach("127.0.0.1", &format!("sslmode=verify-full{itself}")).await.is_err());
    assert!(reach("localhost", &format!("sslmode=require&sslnegotiation=direct{own}")).await.unwrap());
}

struct Certificates(tempfile::TempDir);

impl Certificates {
    /// `ca.crt` signs `server.crt` for localhost; `other.crt` is a stranger.
    fn make() -> Certificates {
        let dir = tempfile::tempdir().unwrap();
        let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
        openssl(dir.path(), &format!("{new} -subj /CN=ca -keyout ca.key -out ca.crt"));
        openssl(dir.path(), &format!("{new} -subj /CN=other -keyout other.key -out other.crt"));
        openssl(
            dir.path(),
            &format!(
                "{new} -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -CA ca.crt -CAkey ca.key -keyout server.key -out server.crt"
            ),
        );
        Certificates(dir)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn openssl(dir: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
