use std::path::PathBuf;

use clap::Args;

/// What to verify, and whom to trust.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct VerifyArguments {
    /// The evidence bundle (*.evidence.tgz)
    #[arg(long, value_name = "FILE")]
    pub bundle: PathBuf,
    /// A public key you trust, SPKI PEM; may be repeated, a file may hold several
    #[arg(long, value_name = "FILE")]
    pub pubkey: Vec<PathBuf>,
    /// The id of a key you trust (sha256:…), in place of the key itself; may be repeated
    #[arg(long, value_name = "KEYID")]
    pub fingerprint: Vec<String>,
    /// A witness whose signature on the checkpoint counts, as a C2SP vkey; may be repeated, one of them is enough for --level 3,
    /// and none is demanded below
    #[arg(long, value_name = "VKEY", conflicts_with = "witness_policy")]
    pub witness: Vec<String>,
    /// The logs and witnesses you know, and how many of the latter you demand: a C2SP tlog-policy file
    #[arg(long, value_name = "FILE")]
    pub witness_policy: Option<PathBuf>,
    /// What you demand beyond the format: a JSON file of type walwarden.audit-policy
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Take the ages that a policy limits as of this time (2026-11-21T02:06:29.123Z), not of now; the report says so
    #[arg(long, value_name = "TIME", requires = "policy")]
    pub as_of: Option<String>,
    /// A checkpoint of this chain that you kept from an earlier time: the chain must go on from there
    #[arg(long, value_name = "CHECKPOINT")]
    pub since: Option<PathBuf>,
    /// Demand a timestamp over the checkpoint (RFC 3161) by an authority with this certificate, PEM; may be repeated
    #[cfg(feature = "timestamps")]
    #[arg(long, value_name = "FILE")]
    pub tsa_ca: Vec<PathBuf>,
    /// The level to reach [default: 2]
    ///
    /// 0 self-consistent; 1 authentic: manifests signed by a key you trust; 2 complete: nothing missing or
    /// unannounced; 3 witnessed: witnesses you trust saw the checkpoint; 4 continuous with --since.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=4))]
    pub level: Option<u8>,
    /// Write the report as a page for working papers too, into this new file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write a signed summary too, into this new file: an in-toto Verification Summary in a DSSE envelope
    #[arg(long, value_name = "FILE", requires = "vsa_key")]
    pub vsa: Option<PathBuf>,
    /// The key that signs the summary: your own, Ed25519, PKCS#8 PEM
    #[arg(long, value_name = "FILE", requires = "vsa")]
    pub vsa_key: Option<PathBuf>,
}

impl VerifyArguments {
    /// The file in which that text of a [`Trust`](walwarden_verify::Trust) was.
    pub(crate) fn file_of(&self, what: &str, index: usize) -> Option<&PathBuf> {
        match what {
            "public key" => self.pubkey.get(index),
            "witness policy" => self.witness_policy.as_ref(),
            "policy" => self.policy.as_ref(),
            "authority" => self.tsa_ca().get(index),
            _ => None,
        }
    }

    /// The certificates of authorities; none where this was built without timestamps.
    pub(crate) fn tsa_ca(&self) -> &[PathBuf] {
        #[cfg(feature = "timestamps")]
        return &self.tsa_ca;
        #[cfg(not(feature = "timestamps"))]
        return &[];
    }
}

const AFTER_HELP: &str = "\
Exit status:
  0  the level is reached, and what you demand besides
  1  the evidence contradicts itself, or a signature fails; or it is not what you demand
  2  wrong use, or a file cannot be read
  3  malformed, or over a limit
  4  cannot decide: no trusted key given, a file absent, level not reached, no quorum or timestamp that you demand";
