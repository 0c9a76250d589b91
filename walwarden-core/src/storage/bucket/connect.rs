//! From a location and credentials to a client.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientOptions, RetryConfig};

use super::Client;
use super::wire::Connector;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::storage::location::{BucketPlace, Options, Scheme, invalid};

pub(super) fn connect(
    place: &BucketPlace,
    options: &Options,
    conditional_complete: &Arc<AtomicBool>,
) -> Result<Arc<dyn Client>> {
    let connector = Connector {
        silence: options.patience.silence,
        conditional_complete: Arc::clone(conditional_complete),
    };
    // Deadlines and repetition are ours: `object_store` would cut off long bodies and hide what was repeated.
    let plain = place.endpoint.as_ref().is_some_and(|endpoint| endpoint.scheme() == "http");
    let client = ClientOptions::new()
        .with_timeout_disabled()
        .with_read_timeout_disabled()
        .with_connect_timeout(CONNECT_DEADLINE)
        .with_allow_http(plain);
    let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    match place.scheme {
        Scheme::Gs => gs(place, options, connector, client, once),
        Scheme::Az => az(place, options, connector, client, once),
        _ => s3(place, options, connector, client, once),
    }
}

fn s3(
    place: &BucketPlace,
    options: &Options,
    connector: Connector,
    client: ClientOptions,
    once: RetryConfig,
) -> Result<Arc<dyn Client>> {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&place.bucket)
        .with_checksum_algorithm(Checksum::SHA256)
        .with_disable_bulk_delete(true);
    for (key, value) in credentials::<AmazonS3ConfigKey>(options)? {
        builder = builder.with_config(key, value.expose());
    }
    if let Some(region) = &place.region {
        builder = builder.with_region(region);
    }
    let mut virtual_host = !place.path_style.unwrap_or(place.endpoint.is_some());
    if let Some(endpoint) = &place.endpoint {
        let mut url = endpoint.clone();
        // `object_store` takes an endpoint in virtual-host style with the bucket already in it.
        if virtual_host {
            let host = format!("{}.{}", place.bucket, url.host_str().unwrap_or_default());
            url.set_host(Some(&host)).map_err(|_| invalid("bucket name cannot stand in a host name"))?;
        }
        builder = builder.with_endpoint(url.as_str().trim_end_matches('/'));
    } else if place.bucket.contains('.') && place.path_style.is_none() {
        virtual_host = false; // a dot in the host name would not match Amazon's certificate
    }
    let built = builder
        .with_virtual_hosted_style_request(virtual_host)
        .with_client_options(client)
        .with_http_connector(connector)
        .with_retry(once)
        .build();
    Ok(Arc::new(built.map_err(unusable)?))
}

fn gs(
    place: &BucketPlace,
    options: &Options,
    connector: Connector,
    client: ClientOptions,
    once: RetryConfig,
) -> Result<Arc<dyn Client>> {
    let mut builder = GoogleCloudStorageBuilder::new().with_bucket_name(&place.bucket);
    for (key, value) in credentials::<GoogleConfigKey>(options)? {
        builder = builder.with_config(key, value.expose());
    }
    let built = builder.with_client_options(client).with_http_connector(connector).with_retry(once).build();
    Ok(Arc::new(built.map_err(unusable)?))
}

fn az(
    place: &BucketPlace,
    options: &Options,
    connector: Connector,
    client: ClientOptions,
    once: RetryConfig,
) -> Result<Arc<dyn Client>> {
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(place.account.clone().unwrap_or_default())
        .with_container_name(&place.bucket);
    for (key, value) in credentials::<AzureConfigKey>(options)? {
        builder = builder.with_config(key, value.expose());
    }
    if let Some(endpoint) = &place.endpoint {
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/').to_owned());
    }
    let built = builder.with_client_options(client).with_http_connector(connector).with_retry(once).build();
    Ok(Arc::new(built.map_err(unusable)?))
}

fn credentials<K: FromStr>(options: &Options) -> Result<Vec<(K, &Secret)>> {
    let parse = |(name, value): (_, _)| {
        let name: &String = name;
        let key = name.parse().map_err(|_| invalid(format!("credential is not known credential={name}")))?;
        Ok((key, value))
    };
    options.credentials.iter().map(parse).collect()
}

/// The cause may quote a credential it could not parse, so only its kind is told.
fn unusable(_: object_store::Error) -> Error {
    invalid("the destination's credentials or parameters cannot be used; check their form")
}

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
