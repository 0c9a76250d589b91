//! `uniffi-bindgen` of the version that the library was built with: others write code that does not fit.

fn main() {
    uniffi::uniffi_bindgen_main();
}
