#![no_main]

#[path = "../archive_decoders.rs"]
mod archive_decoders;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    archive_decoders::archive_index(data);
});
