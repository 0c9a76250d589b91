//! The verifier for web pages: `walwarden-verify`, called from JavaScript.
//!
//! [`verify`] takes a bundle that can be read in pieces, what the auditor trusts, and a clock, and returns a
//! [`Verification`]: the report in all its forms. What is unusable is thrown as [`Unusable`]. There are no timestamps of
//! RFC 3161 here; a page that is given an authority's certificate is told so.
//!
//! ```js
//! const bundle = { size: bytes.length, read(at, into) { into.set(bytes.subarray(at, at + into.length)); } };
//! const verification = wasm_bindgen.verify(bundle, { publicKeys: [pem], level: 2 }, Date.now());
//! console.log(verification.exit, verification.text());
//! ```

mod bundle;
mod trust;

use std::io;

use walwarden_verify::{Report, Timestamp, Verifier};
use wasm_bindgen::prelude::wasm_bindgen;

pub use bundle::Bundle;
pub use trust::TrustObject;

/// Verifies a bundle. The time, in milliseconds since 1970, is for the age rules of a policy and for the report.
///
/// # Errors
///
/// Throws [`Unusable`] where something of `trust` is not what it was given as, or the bundle cannot be read.
#[wasm_bindgen]
pub fn verify(bundle: &Bundle, trust: &TrustObject, now: Option<f64>) -> Result<Verification, Unusable> {
    let mut verifier = Verifier::try_from(&trust.read())
        .map_err(|error| Unusable { what: error.what, message: error.to_string() })?;
    if let Some(millis) = now {
        let now = Timestamp::from_unix_millis(millis as i64);
        verifier =
            verifier.with_now(now.ok_or_else(|| Unusable::new("now", "no time of the years 0 to 9999"))?);
    }
    let report = verifier.verify(bundle.reader()).map_err(Unusable::bundle)?;
    Ok(Verification { report })
}

/// What was found.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Verification {
    report: Report,
}

#[wasm_bindgen]
impl Verification {
    /// The exit status of `walwarden-verify`.
    #[wasm_bindgen(getter)]
    pub fn exit(&self) -> u8 {
        self.report.exit().status()
    }

    /// In a few words, whether the asked level is reached.
    #[wasm_bindgen(getter)]
    pub fn verdict(&self) -> String {
        self.report.verdict().to_owned()
    }

    /// Reads the bundle once more, and names it in the report by its SHA-256.
    ///
    /// # Errors
    ///
    /// Throws [`Unusable`] where it cannot be read.
    pub fn identify(&mut self, bundle: &Bundle) -> Result<(), Unusable> {
        self.report.bundle_sha256 = Some(bundle.digest().map_err(Unusable::bundle)?);
        Ok(())
    }

    /// The report for programs, in canonical JSON: `spec/report.schema.json`.
    pub fn json(&self) -> Vec<u8> {
        self.report.to_json()
    }

    /// The report as `walwarden-verify` prints it.
    pub fn text(&self) -> String {
        self.report.to_text()
    }

    /// The report as a page for working papers.
    pub fn html(&self) -> String {
        self.report.to_html()
    }
}

/// Nothing was verified: exit status 2 of `walwarden-verify`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Unusable {
    what: &'static str,
    message: String,
}

#[wasm_bindgen]
impl Unusable {
    /// What cannot be used: `bundle`, `now`, or a part of what is trusted, as `public key`.
    #[wasm_bindgen(getter)]
    pub fn what(&self) -> String {
        self.what.to_owned()
    }

    /// The same and why, in one line.
    #[wasm_bindgen(getter)]
    pub fn message(&self) -> String {
        self.message.clone()
    }
}

impl Unusable {
    fn new(what: &'static str, cause: &str) -> Self {
        Unusable { what, message: format!("{what}: {cause}") }
    }

    fn bundle(error: io::Error) -> Self {
        Unusable::new("bundle", &error.to_string())
    }
}

/// A panic is thrown as an error with its message; otherwise all that a page would be told is `unreachable`.
#[wasm_bindgen(start)]
pub fn throw_panics() {
    std::panic::set_hook(Box::new(|panic| wasm_bindgen::throw_str(&panic.to_string())));
}
