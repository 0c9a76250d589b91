use walwarden_verify::Trust;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// Whom the auditor trusts and what he demands: a JavaScript object with the fields of [`Trust`], in camel case. What
    /// is left out is not trusted or demanded.
    #[derive(Debug)]
    pub type TrustObject;

    #[wasm_bindgen(method, getter, js_name = publicKeys)]
    fn public_keys(this: &TrustObject) -> Option<Vec<String>>;

    #[wasm_bindgen(method, getter)]
    fn fingerprints(this: &TrustObject) -> Option<Vec<String>>;

    #[wasm_bindgen(method, getter)]
    fn witnesses(this: &TrustObject) -> Option<Vec<String>>;

    #[wasm_bindgen(method, getter, js_name = witnessPolicy)]
    fn witness_policy(this: &TrustObject) -> Option<Vec<u8>>;

    #[wasm_bindgen(method, getter)]
    fn policy(this: &TrustObject) -> Option<Vec<u8>>;

    #[wasm_bindgen(method, getter, js_name = asOf)]
    fn as_of(this: &TrustObject) -> Option<String>;

    #[wasm_bindgen(method, getter, js_name = keptCheckpoint)]
    fn kept_checkpoint(this: &TrustObject) -> Option<Vec<u8>>;

    #[wasm_bindgen(method, getter)]
    fn authorities(this: &TrustObject) -> Option<Vec<String>>;

    #[wasm_bindgen(method, getter)]
    fn level(this: &TrustObject) -> Option<f64>;
}

impl TrustObject {
    pub(crate) fn read(&self) -> Trust {
        Trust {
            public_keys: self.public_keys().unwrap_or_default(),
            fingerprints: self.fingerprints().unwrap_or_default(),
            witnesses: self.witnesses().unwrap_or_default(),
            witness_policy: self.witness_policy(),
            policy: self.policy(),
            as_of: self.as_of(),
            kept_checkpoint: self.kept_checkpoint(),
            authorities: self.authorities().unwrap_or_default(),
            level: self.level().map(whole),
        }
    }
}

/// No level is called 255, and neither is a number that is no level made one by rounding.
fn whole(number: f64) -> u8 {
    if number.fract() == 0.0 { number as u8 } else { u8::MAX }
}
