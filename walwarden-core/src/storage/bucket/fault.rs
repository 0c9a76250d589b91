//! What a failed request means: which code it gets and whether another try makes sense.

use std::error::Error as StdError;

use object_store::client::HttpError;

use super::wire::{NoCredentials, Refusal};
use crate::error::{Code, Error};

/// One failed request.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: Code,
    /// The same request may succeed a little later.
    pub(super) transient: bool,
    odd: bool,
    refusal: Option<Refusal>,
    cause: Box<dyn StdError + Send + Sync>,
}

impl Fault {
    pub(super) fn of(error: object_store::Error) -> Self {
        let links = || causes(&error);
        if let Some(refusal) = links().find_map(|link| link.downcast_ref::<Refusal>()) {
            return Fault::from_refusal(refusal.clone());
        }
        if links().any(|link| link.is::<NoCredentials>()) {
            let cause = Box::new(NoCredentials);
            return Fault { code: Code::StorageDenied, transient: false, odd: false, refusal: None, cause };
        }
        if let Some(http) = links().find_map(|link| link.downcast_ref::<HttpError>()) {
            return Fault::from_silence(root_cause(http));
        }
        Fault::from_store(error)
    }

    /// A connection that delivered nothing, or less than it announced.
    pub(super) fn from_silence(what: String) -> Self {
        Fault {
            code: Code::StorageUnavailable,
            transient: true,
            odd: false,
            refusal: None,
            cause: what.into(),
        }
    }

    /// The name was looked up and is not free.
    pub(super) fn taken() -> Self {
        Fault {
            code: Code::ObjectExists,
            transient: false,
            odd: false,
            refusal: None,
            cause: "found by looking first".into(),
        }
    }

    /// What came back is not what was stored.
    pub(super) fn changed() -> Self {
        Fault {
            code: Code::ReadBackMismatch,
            transient: false,
            odd: false,
            refusal: None,
            cause: "it returned something else than was stored".into(),
        }
    }

    fn from_refusal(refusal: Refusal) -> Self {
        let (code, transient) = judge(refusal.status, &refusal.word);
        Fault { code, transient, odd: false, cause: Box::new(refusal.clone()), refusal: Some(refusal) }
    }

    fn from_store(error: object_store::Error) -> Self {
        use object_store::Error as E;
        let (code, transient) = match &error {
            E::NotFound { .. } => (Code::ObjectMissing, false),
            E::AlreadyExists { .. } | E::Precondition { .. } | E::NotModified { .. } => {
                (Code::ObjectExists, false)
            }
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => (Code::StorageDenied, false),
            E::InvalidPath { .. } | E::NotSupported { .. } | E::UnknownConfigurationKey { .. } => {
                (Code::DestinationInvalid, false)
            }
            // No answer at all, or one cut off so that it cannot be parsed.
            _ => (Code::StorageUnavailable, true),
        };
        Fault { code, transient, odd: transient, refusal: None, cause: root_cause(&error).into() }
    }

    /// The provider's name of the error, or an empty text.
    pub(super) fn word(&self) -> &str {
        self.refusal.as_ref().map_or("", |refusal| &refusal.word)
    }

    /// In the words of whoever met it, without any URL.
    pub(super) fn cause(&self) -> &(dyn StdError + 'static) {
        self.cause.as_ref()
    }

    /// The server answered, and said yes, but in a way that cannot be used.
    pub(super) fn is_odd(&self) -> bool {
        self.odd
    }

    /// The server knows the request but not the condition on it.
    pub(super) fn lacks_condition(&self) -> bool {
        self.refusal.as_ref().is_some_and(|refusal| refusal.status == 501) || self.word() == "NotImplemented"
    }

    /// The upload to be completed is gone: completed, aborted, or displaced by another object.
    pub(super) fn lost_upload(&self) -> bool {
        matches!(self.word(), "NoSuchUpload" | "InvalidBlockList" | "InvalidBlobOrBlock" | "InvalidPart")
    }

    /// The error to report, which says what was tried on which object.
    pub(super) fn report(self, action: &str, object: &str) -> Error {
        let message = match self.code {
            Code::ObjectExists => format!("object exists already name={object}"),
            Code::ObjectMissing => format!("object is missing name={object}"),
            _ => format!("could not {action} name={object}"),
        };
        Error::new(self.code, message).with_source(self.cause)
    }
}

/// Status and provider's word to code and «worth another try».
fn judge(status: u16, word: &str) -> (Code, bool) {
    match word {
        "NoSuchBucket"
        | "ContainerNotFound"
        | "ContainerBeingDeleted"
        | "ContainerDisabled"
        | "InvalidBucketName" => {
            return (Code::StorageMissing, false);
        }
        "NoSuchKey" | "BlobNotFound" | "NoSuchUpload" => return (Code::ObjectMissing, false),
        "BlobAlreadyExists" | "PreconditionFailed" | "ConditionNotMet" => return (Code::ObjectExists, false),
        "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
            return (Code::DestinationInvalid, false); // another region
        }
        "RequestTimeout" | "SlowDown" | "InternalError" | "ServerBusy" | "OperationTimedOut" => {
            return (Code::StorageUnavailable, true);
        }
        // Bytes damaged on the way; the next try sends them afresh.
        "BadDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch" | "Md5Mismatch" => {
            return (Code::StorageUnavailable, true);
        }
        "QuotaExceeded" | "XMinioStorageFull" | "AccountLimitExceeded" => return (Code::StorageFull, false),
        _ => {}
    }
    match status {
        300..=399 => (Code::DestinationInvalid, false),
        404 => (Code::ObjectMissing, false),
        408 | 409 | 425 | 429 | 499 => (Code::StorageUnavailable, true),
        412 => (Code::ObjectExists, false),
        416 => (Code::ArgumentInvalid, false),
        501 => (Code::StorageDenied, false),
        507 => (Code::StorageFull, false),
        500..=599 => (Code::StorageUnavailable, true),
        _ => (Code::StorageDenied, false),
    }
}

/// The error and what lies below it.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |link| (*link).source())
}

/// The innermost message: outer ones name URLs.
fn root_cause(error: &dyn StdError) -> String {
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_get_the_code_that_says_what_to_do() {
        for (status, word, code, transient) in [
            (403, "AccessDenied", Code::StorageDenied, false),
            (403, "SignatureDoesNotMatch", Code::StorageDenied, false),
            (403, "RequestTimeTooSkewed", Code::StorageDenied, false),
            (400, "ExpiredToken", Code::StorageDenied, false),
            (401, "", Code::StorageDenied, false),
            (404, "NoSuchBucket", Code::StorageMissing, false),
            (404, "ContainerNotFound", Code::StorageMissing, false),
            (404, "NoSuchKey", Code::ObjectMissing, false),
            (404, "", Code::ObjectMissing, false),
            (412, "PreconditionFailed", Code::ObjectExists, false),
            (409, "BlobAlreadyExists", Code::ObjectExists, false),
            (409, "ConditionalRequestConflict", Code::StorageUnavailable, true),
            (429, "", Code::StorageUnavailable, true),
            (499, "", Code::StorageUnavailable, true),
            (500, "InternalError", Code::StorageUnavailable, true),
            (503, "SlowDown", Code::StorageUnavailable, true),
            (400, "RequestTimeout", Code::StorageUnavailable, true),
            (400, "BadDigest", Code::StorageUnavailable, true),
            (507, "", Code::StorageFull, false),
            (403, "QuotaExceeded", Code::StorageFull, false),
            (301, "PermanentRedirect", Code::DestinationInvalid, false),
            (416, "InvalidRange", Code::ArgumentInvalid, false),
        ] {
            assert_eq!(judge(status, word), (code, transient), "{status} {word}");
        }
    }
}
