//! `walwarden verify`.

use walwarden_core::{Code, Error};
use walwarden_verifier::VerifyArguments;

use crate::exit::Ending;
use crate::output::Output;

/// On a thread of its own, for a signal to end the command while it computes or waits for a file.
pub(crate) async fn run(arguments: VerifyArguments, output: Output) -> Ending {
    let verified = move || walwarden_verifier::run(&arguments, output.is_json());
    let ended = tokio::task::spawn_blocking(verified).await;
    Ok(ended.map_err(|panic| Error::new(Code::Internal, "the verifier panicked").with_source(panic))?)
}
