//! Signers, storage and listeners written in JavaScript. The other half wraps each method in a function that always returns a
//! promise of an answer or of what was thrown, so that nothing is thrown into native code.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use napi::Status;
use napi::bindgen_prelude::{
    Buffer, Either, FnArgs, FromNapiValue, JsValuesTupleIntoVec, Promise, TypeName, Uint8Array,
    ValidateNapiValue,
};
use napi::threadsafe_function::ThreadsafeFunction;
use napi_derive::napi;
use walwarden_bindings::own::{HostSigner, HostStorage, HostUpload, failed};
use walwarden_core::{Code, Error, Result};

/// What a method threw, or returned though it must not.
#[napi(object, object_to_js = false)]
pub struct Thrown {
    /// Of a `WalwardenError`.
    pub code: Option<String>,
    /// Without a code it goes on from the method's name.
    pub message: String,
}

/// A JavaScript function; weak, for a component that nobody calls must not keep the process alive.
type Call<A, T> = ThreadsafeFunction<A, Promise<Either<T, Thrown>>, A, Status, false, true>;

pub type Sign = Call<Buffer, Uint8Array>;

/// The methods of a storage.
#[napi(object, object_to_js = false)]
pub struct StorageCalls {
    #[napi(ts_type = "(name: string) => Promise<UploadCalls | Thrown>")]
    pub upload: Call<String, UploadCalls>,
    #[napi(ts_type = "(name: string) => Promise<number | null | Thrown>")]
    pub size: Call<String, Option<f64>>,
    #[napi(ts_type = "(name: string, start: number, length: number) => Promise<Uint8Array | Thrown>")]
    pub read: Call<FnArgs<(String, f64, f64)>, Uint8Array>,
    #[napi(ts_type = "(prefix: string) => Promise<Array<Listed> | Thrown>")]
    pub list: Call<String, Vec<Listed>>,
    #[napi(ts_type = "(name: string, upload: string) => Promise<null | Thrown>")]
    pub abandon: Call<FnArgs<(String, String)>, Nothing>,
    #[napi(ts_type = "() => Promise<boolean | Thrown>")]
    pub put_if_absent: Call<(), bool>,
}

/// The methods of an upload.
#[napi(object, object_to_js = false)]
pub struct UploadCalls {
    pub id: Option<String>,
    #[napi(ts_type = "(chunk: Buffer) => Promise<null | Thrown>")]
    pub write: Call<Buffer, Nothing>,
    #[napi(ts_type = "() => Promise<null | Thrown>")]
    pub finish: Call<(), Nothing>,
    #[napi(ts_type = "() => Promise<null | Thrown>")]
    pub abort: Call<(), Nothing>,
}

type Nothing = napi::bindgen_prelude::Null;

/// An object in a list.
#[napi(object, object_to_js = false)]
pub struct Listed {
    pub name: String,
    pub size_bytes: f64,
}

/// What a method may return.
trait Answer: FromNapiValue + TypeName + ValidateNapiValue + 'static {}

impl<T: FromNapiValue + TypeName + ValidateNapiValue + 'static> Answer for T {}

/// A function of a component.
struct Method<'a, A: JsValuesTupleIntoVec + 'static, T: Answer> {
    component: &'static str,
    name: &'static str,
    call: &'a Call<A, T>,
}

impl<A: JsValuesTupleIntoVec + 'static, T: Answer> Method<'_, A, T> {
    async fn with(self, arguments: A) -> Result<T> {
        let Method { component, name, call } = self;
        let garbage = |error: napi::Error| {
            failed(component, format_args!("{name}() returned what it must not: {}", error.reason))
        };
        let answer = call.call_async_catch(arguments).await.map_err(garbage)?;
        match answer.await.map_err(garbage)? {
            Either::A(value) => Ok(value),
            Either::B(Thrown { code, message }) => {
                Err(match (code.as_deref().and_then(Code::from_text), code) {
                    (Some(code), _) => Error::new(code, message),
                    (None, Some(code)) => {
                        failed(component, format_args!("{name}() threw {message} [{code}]"))
                    }
                    (None, None) => failed(component, format_args!("{name}() {message}")),
                })
            }
        }
    }
}

struct OwnSign(Sign);

/// A signer of one function.
pub(crate) fn sign(function: Sign) -> impl HostSigner {
    OwnSign(function)
}

#[async_trait]
impl HostSigner for OwnSign {
    async fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>> {
        let method = Method { component: "signer", name: "sign", call: &self.0 };
        Ok(method.with(message.into()).await?.to_vec())
    }
}

fn of_storage<'a, A: JsValuesTupleIntoVec, T: Answer>(
    name: &'static str,
    call: &'a Call<A, T>,
) -> Method<'a, A, T> {
    Method { component: "storage", name, call }
}

fn size(method: &str, number: f64) -> Result<u64> {
    if number.fract() == 0.0 && (0.0..=MAX_SAFE_INTEGER).contains(&number) {
        return Ok(number as u64);
    }
    Err(failed("storage", format_args!("{method}() returned {number}, which is no size")))
}

const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

#[async_trait]
impl HostStorage for StorageCalls {
    async fn upload(&self, name: String) -> Result<(Arc<dyn HostUpload>, Option<String>)> {
        let mut upload = of_storage("upload", &self.upload).with(name).await?;
        let id = upload.id.take();
        Ok((Arc::new(upload), id))
    }

    async fn size(&self, name: String) -> Result<Option<u64>> {
        let answer = of_storage("size", &self.size).with(name).await?;
        answer.map(|number| size("size", number)).transpose()
    }

    async fn read(&self, name: String, start: u64, length: u64) -> Result<Bytes> {
        let arguments = FnArgs::from((name, start as f64, length as f64));
        let bytes = of_storage("read", &self.read).with(arguments).await?;
        Ok(Bytes::from_owner(bytes))
    }

    async fn list(&self, prefix: String) -> Result<Vec<(String, u64)>> {
        let listed = of_storage("list", &self.list).with(prefix).await?;
        listed.into_iter().map(|object| Ok((object.name, size("list", object.size_bytes)?))).collect()
    }

    async fn abandon(&self, name: String, upload: String) -> Result<()> {
        of_storage("abandon", &self.abandon).with(FnArgs::from((name, upload))).await.map(drop)
    }

    async fn put_if_absent(&self) -> Result<bool> {
        of_storage("putIfAbsent", &self.put_if_absent).with(()).await
    }
}

#[async_trait]
impl HostUpload for UploadCalls {
    async fn write(&self, chunk: Bytes) -> Result<()> {
        of_storage("write", &self.write).with(Vec::from(chunk).into()).await.map(drop)
    }

    async fn finish(&self) -> Result<()> {
        of_storage("finish", &self.finish).with(()).await.map(drop)
    }

    async fn abort(&self) -> Result<()> {
        of_storage("abort", &self.abort).with(()).await.map(drop)
    }
}
