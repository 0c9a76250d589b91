use std::fmt;
use std::str::FromStr;

/// Whose order of states a job of this kind of event follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Machine {
    /// A backup.
    Backup,
    /// A restore.
    Restore,
    /// A drill.
    Drill,
}

/// In which chains a kind of event may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// Only in the chain of a database.
    Database,
    /// Only in the organisation's own chain.
    Organisation,
    /// In either.
    Either,
}

macro_rules! kinds {
    ($($name:ident $text:literal $subject:ident $machine:expr;)*) => {
        /// The closed list of kinds (`spec/chain.md`).
        ///
        /// ```
        /// use walwarden_verify::EventKind;
        ///
        /// assert_eq!(EventKind::BackupCompleted.text(), "backup.completed");
        /// assert_eq!("restore.timed_out".parse(), Ok(EventKind::RestoreTimedOut));
        /// assert!("backup.verified".parse::<EventKind>().is_err());
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum EventKind { $(#[doc = concat!("`", $text, "`")] $name,)* }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[EventKind] = &[$(EventKind::$name,)*];

            /// The kind as a row names it, e.g. `backup.completed`.
            pub const fn text(self) -> &'static str {
                match self { $(EventKind::$name => $text,)* }
            }

            /// In which chains it may stand.
            pub const fn subject(self) -> Subject {
                match self { $(EventKind::$name => Subject::$subject,)* }
            }

            /// Whose order of states it belongs to; such an event names its job. Besides these only
            /// `backup.pruned` does, which belongs to the backup.
            pub const fn machine(self) -> Option<Machine> {
                match self { $(EventKind::$name => $machine,)* }
            }
        }

        impl FromStr for EventKind {
            type Err = UnknownKind;

            fn from_str(text: &str) -> Result<Self, UnknownKind> {
                match text { $($text => Ok(EventKind::$name),)* _ => Err(UnknownKind) }
            }
        }
    };
}

const BACKUP: Option<Machine> = Some(Machine::Backup);
const RESTORE: Option<Machine> = Some(Machine::Restore);
const DRILL: Option<Machine> = Some(Machine::Drill);

kinds! {
    ChainGenesis "chain.genesis" Either None;
    BackupQueued "backup.queued" Database BACKUP;
    BackupClaimed "backup.claimed" Database BACKUP;
    BackupRunning "backup.running" Database BACKUP;
    BackupFinalizing "backup.finalizing" Database BACKUP;
    BackupCompleted "backup.completed" Database BACKUP;
    BackupFailed "backup.failed" Database BACKUP;
    BackupCancelled "backup.cancelled" Database BACKUP;
    BackupPruned "backup.pruned" Database BACKUP;
    RestoreTokenIssued "restore.token_issued" Database None;
    RestoreTokenRejected "restore.token_rejected" Database None;
    RestoreTriggered "restore.triggered" Database RESTORE;
    RestoreClaimed "restore.claimed" Database RESTORE;
    RestoreDownloading "restore.downloading" Database RESTORE;
    RestoreVerifying "restore.verifying" Database RESTORE;
    RestoreManifestVerified "restore.manifest_verified" Database RESTORE;
    RestoreRestoring "restore.restoring" Database RESTORE;
    RestoreFinalizing "restore.finalizing" Database RESTORE;
    RestoreCompleted "restore.completed" Database RESTORE;
    RestoreFailed "restore.failed" Database RESTORE;
    RestoreTimedOut "restore.timed_out" Database RESTORE;
    DrillQueued "drill.queued" Database DRILL;
    DrillStarted "drill.started" Database DRILL;
    DrillRestored "drill.restored" Database DRILL;
    DrillChecked "drill.checked" Database DRILL;
    DrillPassed "drill.passed" Database DRILL;
    DrillFailed "drill.failed" Database DRILL;
    KeyAdded "key.added" Either None;
    KeyRevoked "key.revoked" Either None;
    KeyRotated "key.rotated" Either None;
    ScheduleChanged "schedule.changed" Database None;
    ScheduleMissed "schedule.missed" Database None;
    DestinationVerified "destination.verified" Organisation None;
    CheckpointPublished "checkpoint.published" Either None;
    HoldPlaced "hold.placed" Database None;
    HoldReleased "hold.released" Database None;
    MemberInvited "member.invited" Organisation None;
    MemberRemoved "member.removed" Organisation None;
    MemberRoleChanged "member.role_changed" Organisation None;
    TokenIssued "token.issued" Organisation None;
    TokenRevoked "token.revoked" Organisation None;
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// The text names no kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a kind of event that format version 1 knows")
    }
}

impl std::error::Error for UnknownKind {}
