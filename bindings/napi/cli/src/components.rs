use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{Either, Object};
use napi_derive::napi;
use walwarden_bindings::engine;
use walwarden_bindings::own::{OwnSigner, OwnStorage};
use walwarden_core::Result;
use walwarden_core::manifest::ManifestSigner;
use walwarden_core::storage::Storage;
use walwarden_node_verifier::Failure;

use crate::job::start;
use crate::own::{Sign, StorageCalls, sign};

/// A key that signs.
#[napi]
pub struct SigningKey(pub(crate) Arc<dyn ManifestSigner>);

#[napi]
impl SigningKey {
    /// The public half, SPKI PEM: what restores and auditors take.
    #[napi(getter)]
    pub fn public_key(&self) -> String {
        self.0.public_key().to_pem()
    }

    #[napi(getter)]
    pub fn key_id(&self) -> String {
        self.0.public_key().key_id().to_string()
    }
}

/// A signing key in a file, made there if that is asked for.
#[napi(ts_return_type = "Promise<SigningKey | Failure>")]
pub fn file_key(env: &Env, path: String, generate: bool) -> napi::Result<Object<'_>> {
    start(env, async move { engine::file_key(&PathBuf::from(path), generate) }, |key| {
        SigningKey(Arc::new(key))
    })
}

/// A signer written in JavaScript.
#[napi]
pub fn own_signer(
    public_key: String,
    #[napi(ts_arg_type = "(message: Buffer) => Promise<Uint8Array | Thrown>")] sign_with: Sign,
    patience_seconds: Option<f64>,
) -> Either<SigningKey, Failure> {
    let opened = engine::patience(patience_seconds)
        .and_then(|patience| OwnSigner::new(&public_key, sign(sign_with), patience));
    either(opened.map(|signer| SigningKey(Arc::new(signer))))
}

/// Somewhere objects are kept.
#[napi]
pub struct Destination {
    pub(crate) storage: Arc<dyn Storage>,
    url: Option<String>,
}

#[napi]
impl Destination {
    /// Null for storage of one's own.
    #[napi(getter)]
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

/// Opens a destination by its URL.
#[napi(ts_return_type = "Promise<Destination | Failure>")]
pub fn open_storage(
    env: &Env,
    url: String,
    credentials: Option<HashMap<String, String>>,
    make_folder: bool,
) -> napi::Result<Object<'_>> {
    let credentials = credentials.map(|given| given.into_iter().collect());
    let named = url.clone();
    let work = async move { engine::open_storage(&named, credentials, make_folder).await };
    start(env, work, |storage| Destination { storage, url: Some(url) })
}

/// Storage written in JavaScript.
#[napi]
pub fn own_storage(calls: StorageCalls, patience_seconds: Option<f64>) -> Either<Destination, Failure> {
    let opened = engine::patience(patience_seconds).map(|patience| OwnStorage::new(calls, patience));
    either(opened.map(|storage| Destination { storage: Arc::new(storage), url: None }))
}

fn either<T>(result: Result<T>) -> Either<T, Failure> {
    match result {
        Ok(value) => Either::A(value),
        Err(error) => Either::B(error.into()),
    }
}
