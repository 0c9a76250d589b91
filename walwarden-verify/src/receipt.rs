//! The signed record of a restore drill (`spec/evidence.md`, section 3).

use std::str::FromStr;

use crate::form::{Fields, FormError};
use crate::json::{Object, Value};
use crate::key::{PublicKey, Signature};
use crate::manifest::{Contradiction, read_signer, signer_object};
use crate::reason::Reason;
use crate::{DatabaseId, JobId, KeyId, OrgId, Sha256, Timestamp, canonical};

const TYPE: &str = "walwarden.drill-receipt";

/// What became of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It held.
    Passed,
    /// It did not.
    Failed,
    /// It was not made.
    NotRun,
}

impl Outcome {
    /// The text in a receipt.
    pub const fn text(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::NotRun => "not_run",
        }
    }
}

impl FromStr for Outcome {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        [Outcome::Passed, Outcome::Failed, Outcome::NotRun]
            .into_iter()
            .find(|outcome| outcome.text() == text)
            .ok_or_else(|| FormError::new("expected passed, failed or not_run"))
    }
}

/// One stretch of a drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// One table that was counted and compared. Counts are text: they may exceed 2^53.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableComparison {
    /// Its schema, or none.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Rows backed up.
    pub expected_rows: u64,
    /// Rows restored.
    pub actual_rows: u64,
    /// `rowsDigest` of what was backed up.
    pub expected_digest: Sha256,
    /// The same of what was restored.
    pub actual_digest: Sha256,
}

impl TableComparison {
    /// Whether the restored table holds the same rows.
    pub fn agrees(&self) -> bool {
        self.expected_rows == self.actual_rows && self.expected_digest == self.actual_digest
    }
}

/// One further check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillCheck {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// One line.
    pub detail: String,
}

/// What a receipt says, without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptBody {
    /// Whose database.
    pub org_id: OrgId,
    /// Which database.
    pub database_id: DatabaseId,
    /// The drill.
    pub job_id: JobId,
    /// The backup that was restored.
    pub manifest_sha256: Sha256,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Version of the server restored into.
    pub target_version: String,
    /// Its stretches, in order.
    pub phases: Vec<Phase>,
    /// Every table with an expectation.
    pub tables: Vec<TableComparison>,
    /// Further checks.
    pub checks: Vec<DrillCheck>,
    /// Whether the drill passed.
    pub passed: bool,
    /// The key that signs.
    pub signer: KeyId,
}

impl ReceiptBody {
    /// The bytes to sign.
    pub fn canonical_body(&self) -> Vec<u8> {
        canonical::to_vec(&self.to_object().into())
    }

    /// Joins body and signature into a receipt. The signature is not checked.
    ///
    /// # Errors
    ///
    /// When the text of a field leaves the writing profile or a number is beyond 2^53−1.
    pub fn seal(self, signature: Signature) -> Result<Receipt, FormError> {
        let mut object = self.to_object();
        canonical::check_profile(&object.clone().into())?;
        object.insert("signature", signature.to_string());
        Ok(Receipt { bytes: canonical::to_vec(&object.into()), body: self, signature })
    }

    /// The outcome its tables and checks call for.
    pub fn may_pass(&self) -> bool {
        !self.tables.is_empty()
            && self.tables.iter().all(TableComparison::agrees)
            && self.checks.iter().all(|check| check.outcome != Outcome::Failed)
    }

    fn to_object(&self) -> Object {
        let phases = self.phases.iter().map(|phase| {
            Object::from([
                ("name", Value::from(phase.name.as_str())),
                ("durationMs", phase.duration_ms.into()),
            ])
        });
        let tables = self.tables.iter().map(|table| {
            Object::from([
                ("schema", Value::from(table.schema.as_deref())),
                ("name", table.name.as_str().into()),
                ("expectedRows", table.expected_rows.to_string().into()),
                ("actualRows", table.actual_rows.to_string().into()),
                ("expectedDigest", table.expected_digest.into()),
                ("actualDigest", table.actual_digest.into()),
            ])
        });
        let checks = self.checks.iter().map(|check| {
            Object::from([
                ("name", check.name.as_str()),
                ("outcome", check.outcome.text()),
                ("detail", check.detail.as_str()),
            ])
        });
        Object::from([
            ("type", Value::from(TYPE)),
            ("formatVersion", 1_u64.into()),
            ("orgId", self.org_id.as_str().into()),
            ("databaseId", self.database_id.as_str().into()),
            ("jobId", self.job_id.to_string().into()),
            ("manifestSha256", self.manifest_sha256.into()),
            ("startedAt", self.started_at.into()),
            ("finishedAt", self.finished_at.into()),
            ("targetVersion", self.target_version.as_str().into()),
            ("phases", Value::Array(phases.map(Value::from).collect())),
            ("tables", Value::Array(tables.map(Value::from).collect())),
            ("checks", Value::Array(checks.map(Value::from).collect())),
            ("outcome", if self.passed { "passed" } else { "failed" }.into()),
            ("signer", signer_object(self.signer).into()),
        ])
    }

    fn read(object: &Object) -> Result<(Self, Signature), FormError> {
        let mut fields = Fields::of(object);
        fields.document(TYPE)?;
        let body = ReceiptBody {
            org_id: fields.parsed("orgId")?,
            database_id: fields.parsed("databaseId")?,
            job_id: fields.parsed("jobId")?,
            manifest_sha256: fields.parsed("manifestSha256")?,
            started_at: fields.parsed("startedAt")?,
            finished_at: fields.parsed("finishedAt")?,
            target_version: fields.text("targetVersion")?.to_owned(),
            phases: fields.array("phases")?.iter().map(read_phase).collect::<Result<_, _>>()?,
            tables: fields.array("tables")?.iter().map(read_table).collect::<Result<_, _>>()?,
            checks: fields.array("checks")?.iter().map(read_check).collect::<Result<_, _>>()?,
            passed: match fields.text("outcome")? {
                "passed" => true,
                "failed" => false,
                _ => return Err(FormError::field("outcome", "is neither passed nor failed")),
            },
            signer: read_signer(&mut fields)?,
        };
        let signature = fields.parsed("signature")?;
        fields.end()?;
        Ok((body, signature))
    }
}

fn read_phase(value: &Value) -> Result<Phase, FormError> {
    let mut fields = Fields::of_value(value, "phases")?;
    let phase = Phase { name: fields.text("name")?.to_owned(), duration_ms: fields.number("durationMs")? };
    fields.end()?;
    Ok(phase)
}

fn read_table(value: &Value) -> Result<TableComparison, FormError> {
    let mut fields = Fields::of_value(value, "tables")?;
    let table = TableComparison {
        schema: fields.nullable("schema", Fields::text)?.map(str::to_owned),
        name: fields.text("name")?.to_owned(),
        expected_rows: fields.count("expectedRows")?,
        actual_rows: fields.count("actualRows")?,
        expected_digest: fields.parsed("expectedDigest")?,
        actual_digest: fields.parsed("actualDigest")?,
    };
    fields.end()?;
    Ok(table)
}

fn read_check(value: &Value) -> Result<DrillCheck, FormError> {
    let mut fields = Fields::of_value(value, "checks")?;
    let check = DrillCheck {
        name: fields.text("name")?.to_owned(),
        outcome: fields.parsed("outcome")?,
        detail: fields.text("detail")?.to_owned(),
    };
    fields.end()?;
    Ok(check)
}

/// A receipt as it is stored, read but not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    body: ReceiptBody,
    signature: Signature,
    bytes: Vec<u8>,
}

impl Receipt {
    /// Reads the stored bytes.
    ///
    /// # Errors
    ///
    /// When they are not canonical, or a field is missing, unknown or malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        let object = canonical::parse_object(bytes)?;
        let (body, signature) = ReceiptBody::read(&object)?;
        Ok(Receipt { body, signature, bytes: bytes.to_vec() })
    }

    /// What it says.
    pub const fn body(&self) -> &ReceiptBody {
        &self.body
    }

    /// Its signature, unchecked.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The exact bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the stored bytes.
    pub fn hash(&self) -> Sha256 {
        Sha256::of(&self.bytes)
    }

    /// Where the receipt contradicts itself: its times, and an outcome better than its tables and checks.
    pub fn contradictions(&self) -> Vec<Contradiction> {
        let mut found = Vec::new();
        if self.body.started_at > self.body.finished_at {
            found.push(Contradiction::new(Reason::ReceiptTimes, "startedAt is after finishedAt"));
        }
        if self.body.passed && !self.body.may_pass() {
            let detail =
                "outcome is passed, but no table was compared, or a table or check differs or failed";
            found.push(Contradiction::new(Reason::ReceiptOutcome, detail));
        }
        found
    }

    /// Checks the signature alone, and that the key is the one named as signer.
    ///
    /// # Errors
    ///
    /// When the key is another or its signature fails.
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), Contradiction> {
        if self.body.signer != key.key_id() {
            let detail = format!("the signer is {}, the key is {}", self.body.signer, key.key_id());
            return Err(Contradiction::new(Reason::ReceiptSigner, detail));
        }
        let message = canonical::without_member(&self.bytes, "signature")
            .expect("the bytes of a receipt are a canonical object");
        key.verify(&message, &self.signature)
            .map_err(|error| Contradiction::new(Reason::ReceiptSignature, error.to_string()))
    }
}
