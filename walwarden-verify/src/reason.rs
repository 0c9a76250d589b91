use std::fmt;

/// How a verification ends: the exit status of `walwarden-verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// The asked level is reached.
    Reached = 0,
    /// The evidence contradicts itself, or a signature fails.
    Contradiction = 1,
    /// Wrong use, or a file that cannot be read.
    Usage = 2,
    /// Malformed input, or over a limit.
    Malformed = 3,
    /// Cannot decide: no key is pinned, a file is absent, the level is not reached.
    Undecided = 4,
}

impl Exit {
    /// The exit status.
    pub const fn status(self) -> u8 {
        self as u8
    }

    /// How a verification ends in which these checks fail: as the gravest has it.
    pub fn of(failing: impl IntoIterator<Item = Reason>) -> Exit {
        failing.into_iter().map(Reason::exit).fold(Exit::Reached, Exit::or)
    }

    /// The graver of two: 3 before 1 before 4 before 0; wrong use before all.
    #[must_use]
    pub fn or(self, other: Exit) -> Exit {
        let gravity = |exit| match exit {
            Exit::Reached => 0,
            Exit::Undecided => 1,
            Exit::Contradiction => 2,
            Exit::Malformed => 3,
            Exit::Usage => 4,
        };
        if gravity(other) > gravity(self) { other } else { self }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident $text:literal $exit:ident;)*) => {
        /// Stable name of a check; a finding says that it holds, fails or was not made.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Reason { $($(#[doc = $doc])* $name,)* }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// The stable text, e.g. `manifest-signature`.
            pub const fn text(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }

            /// How a verification ends in which this check fails.
            pub const fn exit(self) -> Exit {
                match self { $(Reason::$name => Exit::$exit,)* }
            }

            /// Whether the auditor demands this, and not the format: evidence that falls short of it may be sound.
            pub const fn is_demand(self) -> bool {
                use Reason::*;
                matches!(
                    self,
                    TimestampAuthority | WitnessLog | WitnessQuorum | PolicySubject | PolicyKey | PolicyMinimum
                        | PolicyWitnesses | PolicyAge | PolicyTime | PolicyGap | PolicyDisclosure
                )
            }

            /// What the check demands.
            pub const fn meaning(self) -> &'static str {
                match self { $(Reason::$name => concat!($($doc),*),)* }
            }
        }
    };
}

reasons! {
    /// The input is exactly one gzip member with the right checksum and length, and nothing follows it.
    BundleGzip "bundle-gzip" Malformed;
    /// The tar has sound headers, zero padding, at least two end blocks and nothing after them.
    BundleTar "bundle-tar" Malformed;
    /// Every tar entry is a regular file of plain ustar, with an empty prefix field.
    BundleEntryType "bundle-entry-type" Malformed;
    /// Every file has one of the paths the format names.
    BundlePath "bundle-path" Malformed;
    /// No path occurs twice.
    BundleDuplicate "bundle-duplicate" Malformed;
    /// Sizes, counts and depths keep within the budget.
    BundleLimit "bundle-limit" Malformed;
    /// `audit_events.json` (or `disclosure.json`), `checkpoint` and `bundle.json` are there.
    BundleFileMissing "bundle-file-missing" Undecided;

    /// `bundle.json` is a DSSE envelope of an in-toto Statement in the form of this format.
    StatementForm "statement-form" Malformed;
    /// `bundle.json` is signed by the chain's key at the last row.
    StatementSignature "statement-signature" Contradiction;
    /// Every file of the bundle is listed with the digest it has.
    StatementFiles "statement-files" Contradiction;
    /// Every file that is listed is there.
    StatementFileMissing "statement-file-missing" Undecided;
    /// The predicate names the chain's organisation, database and id.
    StatementSubject "statement-subject" Contradiction;
    /// The predicate's first and last seq and number of backups are the chain's.
    StatementRange "statement-range" Contradiction;
    /// `createdAt` is not before the last row.
    StatementTime "statement-time" Contradiction;

    /// `audit_events.json` is a canonical array of rows, each of a known kind and in its form.
    ChainForm "chain-form" Malformed;
    /// Row 1, and no other, is `chain.genesis`.
    ChainGenesis "chain-genesis" Contradiction;
    /// `seq` starts at 1 and rises by 1.
    ChainSeq "chain-seq" Contradiction;
    /// Each `prevHash` is the hash of the row before, the first 64 zeros.
    ChainLink "chain-link" Contradiction;
    /// Each `hash` is the one its row must have.
    ChainHash "chain-hash" Contradiction;
    /// `at` never runs backwards.
    ChainTime "chain-time" Contradiction;
    /// `disclosure.json` is canonical, its rows each of a known kind and in their form.
    DisclosureForm "disclosure-form" Malformed;
    /// The rows shown and the nodes for the others stand for each row once, in order, each node in its place.
    DisclosureCover "disclosure-cover" Contradiction;
    /// Each kind stands in a chain it belongs to: a database's or the organisation's.
    ChainSubject "chain-subject" Contradiction;
    /// Each job passes through its states in their order and is of one kind.
    JobOrder "job-order" Contradiction;
    /// A `backup.pruned` row names the manifest its backup completed with.
    PruneManifest "prune-manifest" Contradiction;
    /// A `restore.token_issued` row names the manifest of an earlier `backup.completed` row.
    RestoreToken "restore-token" Contradiction;
    /// Each rotation names the current key, and is signed by the old and the new key.
    KeyRotation "key-rotation" Contradiction;
    /// No revoked key signs or becomes the chain's key, and no row follows the revocation of the current key.
    KeyRevoked "key-revoked" Contradiction;
    /// A pinned key is one of the chain's keys.
    KeyPin "key-pin" Contradiction;
    /// At least one key is pinned.
    KeyNoPin "key-no-pin" Undecided;
    /// The bytes of each key that is needed are found among the pins, the rotations or `keys/`.
    KeyUnavailable "key-unavailable" Undecided;

    /// A manifest has the form of format version 1.
    ManifestForm "manifest-form" Malformed;
    /// Every `backup.completed` row has its manifest in the bundle.
    ManifestMissing "manifest-missing" Undecided;
    /// A manifest's digest, its artifact's digest and size are those of its job's `backup.completed` row.
    ManifestAnnounced "manifest-announced" Contradiction;
    /// No manifest is announced twice.
    ManifestDuplicate "manifest-duplicate" Contradiction;
    /// A manifest names the chain's organisation and database.
    ManifestSubject "manifest-subject" Contradiction;
    /// A manifest names the job under which it lies.
    ManifestJob "manifest-job" Contradiction;
    /// `queuedAt ≤ startedAt ≤ finishedAt`.
    ManifestTimes "manifest-times" Contradiction;
    /// A manifest's keys of the store name its own job, database and day, `.dump.age` exactly when encrypted.
    ManifestLayout "manifest-layout" Contradiction;
    /// A manifest's anchor is a row of the chain, between the job's first `queued` and its `completed` row.
    ManifestAnchor "manifest-anchor" Contradiction;
    /// A manifest's signer is the chain's key at its anchor.
    ManifestSigner "manifest-signer" Contradiction;
    /// A manifest's signature is good.
    ManifestSignature "manifest-signature" Contradiction;
    /// `contentRoot` is null exactly when `index` is, and the root over the index's tables.
    ManifestContentRoot "manifest-content-root" Contradiction;

    /// An artifact has the size and digest its manifest names.
    ArtifactDigest "artifact-digest" Contradiction;
    /// An artifact in the bundle is named by a manifest in the bundle.
    ArtifactUnnamed "artifact-unnamed" Contradiction;
    /// An archive index has the form of format version 1.
    IndexForm "index-form" Malformed;
    /// An index has the size and digest its manifest names.
    IndexDigest "index-digest" Contradiction;
    /// An index in the bundle is named by its manifest.
    IndexUnnamed "index-unnamed" Contradiction;
    /// An index agrees with itself and its manifest: job, chunk count, ranges of entries.
    IndexRules "index-rules" Contradiction;
    /// The artifact's chunks have the digests the index names.
    IndexChunks "index-chunks" Contradiction;

    /// A drill receipt has the form of format version 1.
    ReceiptForm "receipt-form" Malformed;
    /// Every receipt a drill's last row names is in the bundle.
    ReceiptMissing "receipt-missing" Undecided;
    /// A receipt's digest and outcome are those of its drill's last row.
    ReceiptAnnounced "receipt-announced" Contradiction;
    /// A receipt names the chain's organisation and database.
    ReceiptSubject "receipt-subject" Contradiction;
    /// A receipt names the job under which it lies.
    ReceiptJob "receipt-job" Contradiction;
    /// A receipt names the manifest of a `backup.completed` row before its drill's last row.
    ReceiptManifest "receipt-manifest" Contradiction;
    /// `startedAt ≤ finishedAt`.
    ReceiptTimes "receipt-times" Contradiction;
    /// `outcome` is `passed` only if a table was compared and no table or check differs or failed.
    ReceiptOutcome "receipt-outcome" Contradiction;
    /// A receipt's signer is the chain's key at its drill's last row.
    ReceiptSigner "receipt-signer" Contradiction;
    /// A receipt's signature is good.
    ReceiptSignature "receipt-signature" Contradiction;

    /// `checkpoint` is a signed note of a tlog-checkpoint without extension lines.
    CheckpointForm "checkpoint-form" Malformed;
    /// The checkpoint's origin is `walwarden/<orgId>/<chainId>`.
    CheckpointOrigin "checkpoint-origin" Contradiction;
    /// The checkpoint's size is the number of rows.
    CheckpointSize "checkpoint-size" Contradiction;
    /// The checkpoint's root is the root over the rows.
    CheckpointRoot "checkpoint-root" Contradiction;
    /// The checkpoint is signed by the chain's key, and no signature by a known key fails.
    CheckpointSignature "checkpoint-signature" Contradiction;
    /// `checkpoint.tsr` is a granted response of RFC 3161, with algorithms that are read.
    TimestampForm "timestamp-form" Malformed;
    /// The timestamp is over the checkpoint's three lines, and signed by the certificate it names.
    TimestampSignature "timestamp-signature" Contradiction;
    /// The timestamp's certificate leads to an authority of the auditor's choice.
    TimestampAuthority "timestamp-authority" Undecided;
    /// No cosignature by a witness of the auditor's choice fails.
    WitnessSignature "witness-signature" Contradiction;
    /// The chain is one of the logs the witness policy names, by its origin and a key of its own.
    WitnessLog "witness-log" Contradiction;
    /// The cosignatures make the quorum of the witness policy.
    WitnessQuorum "witness-quorum" Undecided;
    /// No row, manifest or receipt is dated more than an hour after the checkpoint was seen by those who are believed.
    CheckpointTime "checkpoint-time" Contradiction;

    /// The kept checkpoint is a signed note of a tlog-checkpoint.
    KeptCheckpointForm "kept-checkpoint-form" Malformed;
    /// The kept checkpoint speaks of this chain.
    KeptCheckpointOrigin "kept-checkpoint-origin" Contradiction;
    /// The chain is at least as long as the kept checkpoint says, and that is a row at least.
    KeptCheckpointSize "kept-checkpoint-size" Contradiction;
    /// The chain's beginning has the root of the kept checkpoint.
    KeptCheckpointRoot "kept-checkpoint-root" Contradiction;
    /// The rows shown and the nodes for the others tell the root at the kept checkpoint's size.
    KeptCheckpointHidden "kept-checkpoint-hidden" Undecided;
    /// The kept checkpoint is signed by the chain's key at its size.
    KeptCheckpointSignature "kept-checkpoint-signature" Contradiction;

    /// The evidence is of the organisation, database and chain the policy names.
    PolicySubject "policy-subject" Contradiction;
    /// The chain's key at its last row is the one the policy names.
    PolicyKey "policy-key" Contradiction;
    /// There are at least as many events, backups, artifacts or drills as the policy demands.
    PolicyMinimum "policy-minimum" Contradiction;
    /// The checkpoint was cosigned by as many witnesses as the policy demands.
    PolicyWitnesses "policy-witnesses" Undecided;
    /// Enough witnesses saw the checkpoint, and the last backup or drill happened, within the age the policy allows.
    PolicyAge "policy-age" Contradiction;
    /// The times a policy's age rules need are known: the caller's clock, and enough witnesses' for the checkpoint.
    PolicyTime "policy-time" Undecided;
    /// No time between two completed backups is longer than the policy allows.
    PolicyGap "policy-gap" Contradiction;
    /// What the policy demands of all rows is asked of a bundle that shows all of them.
    PolicyDisclosure "policy-disclosure" Undecided;
    /// The asked level is reached.
    Level "level" Undecided;
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
