//! `bundle.json`: what a bundle holds, signed by the chain's key (DSSE envelope, in-toto Statement).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::form::{Fields, FormError, read_items, read_members};
use crate::json::{Object, Value};
use crate::key::{PublicKey, Signature};
use crate::{ChainId, DatabaseId, KeyId, OrgId, Sha256, Timestamp, canonical};

pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://walwarden.dev/evidence-bundle/v1";
const DISCLOSURE_TYPE: &str = "https://walwarden.dev/evidence-disclosure/v1";

/// What the bundle says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Whose evidence.
    pub org_id: OrgId,
    /// Of which database; none for the organisation's own chain.
    pub database_id: Option<DatabaseId>,
    /// Which chain.
    pub chain_id: ChainId,
    /// The first row in the bundle; always 1 in version 1.
    pub first_seq: u64,
    /// The last row in the bundle.
    pub last_seq: u64,
    /// How many `backup.completed` rows; of a disclosure how many are shown.
    pub backups: u64,
    /// How many rows are shown, in a bundle that is a disclosure.
    pub rows_shown: Option<u64>,
    /// When the bundle was made.
    pub created_at: Timestamp,
    /// Every other file of the bundle by path and digest, sorted by path.
    pub files: Vec<(String, Sha256)>,
}

impl Statement {
    /// The canonical in-toto Statement.
    pub fn payload(&self) -> Vec<u8> {
        let subject = self.files.iter().map(|(name, sha256)| {
            let digest = Object::from([("sha256", *sha256)]);
            Object::from([("name", Value::from(name.as_str())), ("digest", digest.into())]).into()
        });
        let mut predicate = Object::from([
            ("orgId", Value::from(self.org_id.as_str())),
            ("databaseId", self.database_id.as_ref().map(|id| id.as_str()).into()),
            ("chainId", self.chain_id.to_string().into()),
            ("firstSeq", self.first_seq.into()),
            ("lastSeq", self.last_seq.into()),
            ("backups", self.backups.into()),
            ("createdAt", self.created_at.into()),
        ]);
        if let Some(rows) = self.rows_shown {
            predicate.insert("rowsShown", rows);
        }
        let predicate_type = if self.rows_shown.is_some() { DISCLOSURE_TYPE } else { PREDICATE_TYPE };
        canonical::to_vec(&Value::Object(Object::from([
            ("_type", Value::from(STATEMENT_TYPE)),
            ("predicateType", predicate_type.into()),
            ("predicate", predicate.into()),
            ("subject", Value::Array(subject.collect())),
        ])))
    }

    /// The bytes to sign (DSSE pre-authentication encoding of the payload).
    pub fn message(&self) -> Vec<u8> {
        pre_authentication_encoding(&self.payload())
    }

    /// Joins statement and signature into the bytes of `bundle.json`.
    pub fn seal(&self, key_id: KeyId, signature: &Signature) -> Vec<u8> {
        let signature =
            Object::from([("keyid", key_id.to_string()), ("sig", STANDARD.encode(signature.as_bytes()))]);
        canonical::to_vec(&Value::Object(Object::from([
            ("payloadType", Value::from(PAYLOAD_TYPE)),
            ("payload", STANDARD.encode(self.payload()).into()),
            ("signatures", Value::Array(vec![signature.into()])),
        ])))
    }

    fn parse(payload: &[u8]) -> Result<Self, FormError> {
        let mut files = Vec::new();
        let small = read_members(payload, |scanner, key| match key {
            "subject" => read_items(scanner, "subject", 2, |file| {
                if files.len() == MOST_FILES {
                    return Err(FormError::over_limit("there are too many of them"));
                }
                files.push(read_subject(&canonical::parse_object(file.as_bytes())?)?);
                Ok(())
            }),
            _ => Ok(false),
        })?;
        let mut fields = Fields::of(&small);
        fields.exactly("_type", STATEMENT_TYPE)?;
        let in_part = fields.text("predicateType")? == DISCLOSURE_TYPE;
        fields.exactly("predicateType", if in_part { DISCLOSURE_TYPE } else { PREDICATE_TYPE })?;
        fields.value("subject")?;
        if !files.is_sorted_by(|left, right| left.0 < right.0) {
            return Err(FormError::field("subject", "is not sorted by name, or names a file twice"));
        }
        let mut predicate = fields.object("predicate")?;
        fields.end()?;
        let statement = Statement {
            org_id: predicate.parsed("orgId")?,
            database_id: predicate.nullable("databaseId", Fields::parsed)?,
            chain_id: predicate.parsed("chainId")?,
            first_seq: predicate.number("firstSeq")?,
            last_seq: predicate.number("lastSeq")?,
            backups: predicate.number("backups")?,
            rows_shown: if in_part { Some(predicate.number("rowsShown")?) } else { None },
            created_at: predicate.parsed("createdAt")?,
            files,
        };
        predicate.end()?;
        Ok(statement)
    }
}

fn read_subject(object: &Object) -> Result<(String, Sha256), FormError> {
    let mut fields = Fields::of(object);
    let name = fields.text("name")?.to_owned();
    if name == "bundle.json" {
        return Err(FormError::field("subject", "lists bundle.json, which holds it"));
    }
    let mut digest = fields.object("digest")?;
    fields.end()?;
    let sha256 = digest.parsed("sha256")?;
    digest.end()?;
    Ok((name, sha256))
}

/// `bundle.json` as it was read, unchecked.
#[derive(Debug, Clone)]
pub struct Envelope {
    statement: Statement,
    message: Vec<u8>,
    signatures: Vec<Signature>,
}

impl Envelope {
    /// Reads the bytes of `bundle.json`.
    ///
    /// # Errors
    ///
    /// When envelope or statement is not canonical, or a field is missing, unknown or malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        let (mut message, mut payload_at, mut signatures) = (Vec::new(), 0, Vec::new());
        let small = read_members(bytes, |scanner, key| match key {
            "payload" => {
                // No escape is base64, and undoing them would copy it.
                let text = scanner.plain_string()?;
                message = pre_authentication_head(decoded_length(text));
                payload_at = message.len();
                // Behind the head at once: a payload may have many megabytes.
                message.reserve_exact(decoded_length(text));
                STANDARD.decode_vec(text.as_bytes(), &mut message).map_err(|_| not_base64("payload"))?;
                Ok(true)
            }
            "signatures" => read_items(scanner, "signatures", 1, |signature| {
                if signatures.len() == MOST_SIGNATURES {
                    return Err(FormError::over_limit("there are too many of them"));
                }
                signatures.push(read_signature(&canonical::parse_object(signature.as_bytes())?)?);
                Ok(())
            }),
            _ => Ok(false),
        })?;
        let mut fields = Fields::of(&small);
        fields.exactly("payloadType", PAYLOAD_TYPE)?;
        fields.value("payload")?;
        fields.value("signatures")?;
        fields.end()?;
        let statement = Statement::parse(&message[payload_at..])?;
        Ok(Envelope { statement, message, signatures })
    }

    /// What it says, unchecked.
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Whether one of its signatures is by this key; who made the others is not asked.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.signatures.iter().any(|signature| key.verify(&self.message, signature).is_ok())
    }
}

/// Each takes a look at the whole payload.
const MOST_SIGNATURES: usize = 16;
/// As many as a bundle may hold.
const MOST_FILES: usize = 200_000;

fn read_signature(object: &Object) -> Result<Signature, FormError> {
    let mut fields = Fields::of(object);
    // Only a hint.
    fields.optional("keyid", Fields::text)?;
    let signature = base64(fields.text("sig")?, "sig")?;
    fields.end()?;
    let bytes = signature.try_into().map_err(|_| FormError::field("sig", "is not 64 bytes long"))?;
    Ok(Signature::from_bytes(bytes))
}

fn base64(text: &str, name: &'static str) -> Result<Vec<u8>, FormError> {
    STANDARD.decode(text).map_err(|_| not_base64(name))
}

fn not_base64(name: &'static str) -> FormError {
    FormError::field(name, "is not padded standard base64")
}

/// How many bytes a text holds if it is padded standard base64.
fn decoded_length(text: &str) -> usize {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count().min(2);
    (text.len() / 4 * 3).saturating_sub(padding)
}

pub(crate) fn pre_authentication_encoding(payload: &[u8]) -> Vec<u8> {
    let mut message = pre_authentication_head(payload.len());
    message.extend_from_slice(payload);
    message
}

fn pre_authentication_head(payload_bytes: usize) -> Vec<u8> {
    format!("DSSEv1 {} {PAYLOAD_TYPE} {payload_bytes} ", PAYLOAD_TYPE.len()).into_bytes()
}

#[cfg(test)]
mod tests;
