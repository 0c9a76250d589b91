use super::*;

fn dsn(text: &str) -> Dsn {
    Dsn::parse(text).unwrap()
}

fn refused(text: &str) -> String {
    let error = Dsn::parse(text).unwrap_err();
    assert_eq!(error.code(), Code::DsnInvalid);
    error.to_string()
}

#[test]
fn url_parts() {
    let dsn = dsn(
        "postgresql://us%40er:p%2Fw%3A@h1:5433,[::1]:5434,h3/my%20db?sslmode=require&application_name=a+b",
    );
    assert_eq!((dsn.host(), dsn.port(), dsn.user(), dsn.dbname()), ("h1", 5433, Some("us@er"), "my db"));
    assert_eq!(dsn.password().unwrap().expose(), "p/w:");
    assert_eq!(dsn.parameter("application_name"), Some("a+b"));
    let hosts: Vec<_> = dsn.hosts().into_iter().map(|host| (host.name.unwrap(), host.port)).collect();
    assert_eq!(hosts, [("h1".into(), 5433), ("::1".into(), 5434), ("h3".into(), 5432)]);
}

#[test]
fn url_shapes() {
    assert_eq!(dsn("postgres://").dbname(), "postgres");
    assert_eq!(dsn("postgres://ann@/").dbname(), "ann");
    assert_eq!(dsn("postgres:///shop?host=/run/postgresql").host(), "/run/postgresql");
    assert_eq!(dsn("postgres://%2Frun%2Fpg/shop").host(), "/run/pg");
    assert_eq!(dsn("postgres://h/shop?ssl=true").parameter("sslmode"), Some("require"));
    // Passwords with a raw '@': the last one ends the login.
    assert_eq!(dsn("postgres://u:a@b@h/d").password().unwrap().expose(), "a@b");
    assert_eq!(dsn("postgres://u:a?b@h/d?sslmode=allow").password().unwrap().expose(), "a?b");
}

#[test]
fn key_value_parts() {
    let dsn = dsn(r"host=h user = 'o\'brien' password='a b\\' dbname=a\ b  options='-c a=b' port=1");
    assert_eq!((dsn.host(), dsn.port(), dsn.user(), dsn.dbname()), ("h", 1, Some("o'brien"), "a b"));
    assert_eq!(dsn.password().unwrap().expose(), r"a b\");
    assert_eq!(dsn.parameter("options"), Some("-c a=b"));
}

#[test]
fn conninfo_round_trip_keeps_every_value_but_the_password() {
    let first = dsn(r"postgres://o'brien:topsecret@h:7/we%20ird%5C?options=-c%20x%3D'y'");
    let text = first.libpq_conninfo_without_password();
    assert!(!text.contains("topsecret"));
    let second = dsn(&text);
    assert_eq!(first.parameters, second.parameters);
    assert!(second.password().is_none());
}

#[test]
fn client_programs_are_told_what_is_left_open() {
    let told = |text: &str| dsn(text).libpq_conninfo_without_password();
    let socket = socket_dir();
    assert_eq!(told("postgres://"), format!("dbname='postgres' host='{socket}'"));
    assert_eq!(told("postgres://ann@/"), format!("dbname='ann' host='{socket}' user='ann'"));
    assert_eq!(told("hostaddr=127.0.0.1 dbname=d"), "dbname='d' hostaddr='127.0.0.1'");
    assert_eq!(dsn("dbname=d").host(), socket);
    assert_eq!(dsn("dbname=d").hosts()[0].name.as_deref(), Some(socket));
    let variables = [("PGHOST", "db"), ("PGDATABASE", "shop")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let from_environment = dsn("user=u").with_environment(variables).unwrap();
    assert_eq!(from_environment.libpq_conninfo_without_password(), "user='u'");
}

#[test]
fn what_cannot_be_understood_is_refused_without_repeating_secrets() {
    for text in [
        "shop",
        "",
        "mysql://h/d",
        "postgres://u:hunter2%zz@h/d",
        "postgres://u:hunter2@h:99999/d",
        "postgres://u:hunter2@h:0/d",
        "postgres://u:hunter2@[::1/d",
        "postgres://u:hunter2@[::1]x/d",
        "postgres://u:hunter2@h/d?sslmode=maybe",
        "postgres://u:hunter2@h/d?sslmod=require",
        "postgres://u:hunter2@h/d?x",
        "postgres://u:hunter2/x@h/d",
        "postgres://u:hunter2%00@h/d",
        "postgres://u:hunter2%ff@h/d",
        "host=h password='hunter2",
        "host=h password=hunter2 dbname",
        "host=h sslpassword=hunter2",
        "host=h oauth_client_secret=hunter2",
        "service=prod",
    ] {
        assert!(!refused(text).contains("hunter2"), "{text}");
    }
}

#[test]
fn nothing_shows_the_password() {
    let dsn = dsn("postgres://u:hunter2@h/d");
    assert_eq!(dsn.to_string(), "dbname='d' host='h' user='u' password=…");
    assert!(!format!("{dsn:?} {:?}", dsn.child_environment()).contains("hunter2"));
    assert_eq!(dsn.mask("password is hunter2, they said hunter2"), "password is …, they said …");
}

#[test]
fn environment_fills_gaps_only() {
    let variables = [
        ("PGHOST", "from-env"),
        ("PGPORT", "6000"),
        ("PGPASSWORD", "from-env"),
        ("PGTZ", "Mars"),
        ("PGSSLROOTCERT", "/ca.pem"),
        ("AWS_SECRET_ACCESS_KEY", "no business of a client program"),
        ("HOME", "/home/me"),
    ];
    let variables = || variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let filled = dsn("user=u dbname=d port=5").with_environment(variables()).unwrap();
    assert_eq!((filled.host(), filled.port()), ("from-env", 5));
    assert_eq!(filled.password().unwrap().expose(), "from-env");
    assert_eq!(
        dsn("postgres://u:own@h/d").with_environment(variables()).unwrap().password().unwrap().expose(),
        "own"
    );

    let child: BTreeMap<_, _> =
        filled.child_environment().into_iter().map(|(n, v)| (n, v.expose().to_owned())).collect();
    assert_eq!(child["PGTZ"], "UTC");
    assert_eq!(child["LC_ALL"], "C");
    assert_eq!(child["PGSSLROOTCERT"], "/ca.pem");
    assert_eq!(child["PGPASSWORD"], "from-env");
    assert!(!child.contains_key("AWS_SECRET_ACCESS_KEY"));
}

#[test]
fn with_database_changes_nothing_else() {
    let other = dsn("postgres://u:pw12@h/d?sslmode=require").with_database("it's");
    assert_eq!((other.dbname(), other.host(), other.parameter("sslmode")), ("it's", "h", Some("require")));
    assert_eq!(other.password().unwrap().expose(), "pw12");
}
