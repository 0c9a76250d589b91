use super::*;

#[test]
fn every_form_is_read_and_shown_again() {
    for (text, scheme) in [
        ("file:///srv/backups", Scheme::File),
        ("memory://example", Scheme::Memory),
        ("s3://backups", Scheme::S3),
        (
            "s3://Backups/a/b?region=eu-central-1&endpoint=https%3A%2F%2Fminio.example%3A9000&path_style=true",
            Scheme::S3,
        ),
        ("gs://backups/prod", Scheme::Gs),
        ("gs://backups?part_mib=32", Scheme::Gs),
        ("az://account/container/prefix", Scheme::Az),
        ("az://account/container?endpoint=http%3A%2F%2F127.0.0.1%3A10000%2Faccount", Scheme::Az),
    ] {
        let location = Location::parse(text).unwrap();
        assert_eq!(location.scheme(), scheme, "{text}");
        assert_eq!(location.to_string(), text);
        assert_eq!(Location::parse(&location.to_string()).unwrap(), location);
    }
    assert_eq!(Location::parse("/srv/my backups").unwrap().to_string(), "file:///srv/my%20backups");
    assert_eq!(Location::parse("s3://b/prefix/").unwrap().to_string(), "s3://b/prefix");
}

#[test]
fn places_come_apart_into_account_bucket_and_prefix() {
    let Place::Bucket(place) = Location::parse("gs://backups/prod/eu").unwrap().0 else { panic!() };
    assert_eq!((place.bucket.as_str(), place.prefix.as_str()), ("backups", "prod/eu"));
    let Place::Bucket(place) = Location::parse("az://acc/box/prod/eu").unwrap().0 else { panic!() };
    assert_eq!((place.account.as_deref(), place.bucket.as_str()), (Some("acc"), "box"));
    assert_eq!(place.prefix, "prod/eu");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for text in [
        "",
        "backups",
        "srv/backups",
        "file://server/share",
        "file:///srv?x=1",
        "ftp://host/path",
        "http://bucket.example/",
        "s3://",
        "s3:///prefix",
        "s3://bucket:9000/prefix",
        "s3://bucket/a//b",
        "s3://bucket/ä",
        "s3://bucket/a/../../b#frag",
        "s3://bucket?unknown=1",
        "s3://bucket?aws_secret_access_key=hunter2",
        "s3://bucket?region=a&region=b",
        "s3://bucket?path_style=yes",
        "s3://bucket?part_mib=4",
        "s3://bucket?part_mib=9999",
        "s3://bucket?endpoint=minio:9000",
        "s3://bucket?endpoint=https://user:pw@minio.example",
        "gs://bucket?region=x",
        "az://account",
        "az://account/",
        "memory://",
        "memory://a/b",
    ] {
        let error = Location::parse(text).expect_err(text);
        assert_eq!(error.code(), Code::DestinationInvalid, "{text}");
    }
}

#[test]
fn secrets_put_into_a_url_are_refused_and_not_repeated() {
    for text in [
        "s3://AKIA:hunter2@bucket/prefix",
        "s3://hunter2@bucket",
        "s3://bucket?secret=hunter2",
        "az://a/b?sas=hunter2",
        "s3://bucket?endpoint=https://x:hunter2@minio.example",
        "s3://bucket?endpoint=hunter2",
    ] {
        let error = Location::parse(text).expect_err(text);
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn plain_http_needs_loopback_or_consent() {
    for text in
        ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000", "https://minio.example"]
    {
        Location::parse(&format!("s3://bucket?endpoint={text}")).expect(text);
    }
    for text in [
        "http://minio.example:9000",
        "http://10.0.0.1",
        "http://127.0.0.1.example",
        "http://localhost.example",
    ] {
        Location::parse(&format!("s3://bucket?endpoint={text}")).expect_err(text);
        Location::parse(&format!("s3://bucket?endpoint={text}&allow_http=true")).expect(text);
    }
}

#[test]
fn options_do_not_show_credentials() {
    let options = Options::default().with_credential("aws_secret_access_key", Secret::new("hunter2"));
    assert!(!format!("{options:?}").contains("hunter2"));
}
