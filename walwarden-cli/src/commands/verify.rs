//! `walwarden verify`.

use crate::exit::Ending;
use crate::output::Output;
use walwarden_verifier::VerifyArguments;

pub(crate) fn run(arguments: &VerifyArguments, output: Output) -> Ending {
    Ok(walwarden_verifier::run(arguments, output.is_json()))
}
