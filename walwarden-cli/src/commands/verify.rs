//! `walwarden verify`.

use walwarden_core::{Code, Error};
use walwarden_verifier::{VerifyArguments, judge};

use crate::exit::Ending;
use crate::output::Output;

/// On a thread of its own, for a signal to end the command while it computes or waits for a file; what the thread finds afterwards
/// is not told.
pub(crate) async fn run(arguments: VerifyArguments, output: Output) -> Ending {
    let judged = tokio::task::spawn_blocking(move || judge(arguments))
        .await
        .map_err(|panic| Error::new(Code::Internal, "the verifier panicked").with_source(panic))?;
    Ok(judged.publish(output.is_json()))
}
