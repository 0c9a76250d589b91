//! `walwarden verify`.

use crate::exit::Ending;
use crate::output::Output;
use crate::verification::{self, VerifyArguments};

pub(crate) fn run(arguments: &VerifyArguments, output: Output) -> Ending {
    Ok(verification::run(arguments, output.is_json()))
}
