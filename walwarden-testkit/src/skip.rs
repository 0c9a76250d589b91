//! Tests that this machine cannot run.

use std::io::Write;

/// Tells that something was not tested, past the capture of the test runner, which would hide what a passing test
/// prints.
///
/// # Panics
/// When `WALWARDEN_TEST_FULL=1` asks for all tests.
#[track_caller]
pub fn skipped(what_and_why: &str) {
    assert!(!wants_all_tests(), "WALWARDEN_TEST_FULL=1, but {what_and_why}");
    beyond_our_rights(what_and_why);
}

/// Tells that something was not tested, even where all tests are wanted: for what no script can install, such as the
/// right to mount a disk in somebody's container.
pub fn beyond_our_rights(what_and_why: &str) {
    let _nobody_reads = writeln!(std::io::stderr(), "SKIPPED, NOT tested: {what_and_why}");
}

/// Whether `WALWARDEN_TEST_FULL=1` asks for all tests, the long ones too.
pub fn wants_all_tests() -> bool {
    #[allow(clippy::disallowed_methods)] // a test kit may ask the machine what is wanted
    let wanted = std::env::var_os("WALWARDEN_TEST_FULL");
    wanted.is_some_and(|value| value == "1")
}
