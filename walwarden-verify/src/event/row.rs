use super::{EventKind, check_payload};
use crate::canonical::{self, Scanner};
use crate::form::FormError;
use crate::json::{self, Object, Value};
use crate::{JobId, Sha256, Timestamp};

/// The last row's place and hash, to which the next row is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Sequence number of the last row; 0 before the first.
    pub seq: u64,
    /// Its hash; 64 zeros before the first.
    pub hash: Sha256,
}

impl Head {
    /// Before the first row.
    pub const START: Head = Head { seq: 0, hash: Sha256::from_bytes([0; 32]) };
}

/// One row of an audit chain: an event, linked to all before it by its hash.
///
/// ```
/// use walwarden_verify::json::Object;
/// use walwarden_verify::{EventKind, Head, Row, Timestamp};
///
/// let at: Timestamp = "2026-11-21T02:06:29.123Z".parse().unwrap();
/// let head = Head { seq: 7, ..Head::START };
/// let row = Row::link(head, at, None, EventKind::ScheduleMissed, Object::new()).unwrap();
/// assert_eq!(row.seq, 8);
/// assert_eq!(Row::parse(&row.to_canonical()), Ok(row));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its place, from 1.
    pub seq: u64,
    /// When it was written, by the writer's clock.
    pub at: Timestamp,
    /// The job it tells of.
    pub job_id: Option<JobId>,
    /// What happened.
    pub kind: EventKind,
    /// Digests, sizes, counts and labels.
    pub payload: Object,
    /// Hash of the row before; 64 zeros in the first.
    pub prev_hash: Sha256,
    /// `sha256(prevHash ‖ canonicalJson({at, jobId, kind, payload}))`.
    pub hash: Sha256,
}

impl Row {
    /// Links an event to the row before.
    ///
    /// # Errors
    ///
    /// When the event has not the form of its kind ([`check_payload`]) or its payload leaves the writing profile.
    /// Whether the event may follow is asked of [`Replay`](crate::chain::Replay).
    pub fn link(
        previous: Head,
        at: Timestamp,
        job_id: Option<JobId>,
        kind: EventKind,
        payload: Object,
    ) -> Result<Row, FormError> {
        check_payload(kind, job_id, &payload)?;
        let mut row = Row {
            seq: previous.seq + 1,
            at,
            job_id,
            kind,
            payload,
            prev_hash: previous.hash,
            hash: previous.hash,
        };
        // The payload stands one container deep in a row that stands one deep in audit_events.json.
        canonical::check_profile(&Value::Array(vec![Value::Object(row.to_object())]))?;
        row.hash = row.expected_hash();
        Ok(row)
    }

    /// The hash this row must have, from its other fields.
    pub fn expected_hash(&self) -> Sha256 {
        let event = Object::from_iter(self.hashed_members());
        Sha256::of_parts([&self.prev_hash.hex(), &canonical::to_vec(&Value::Object(event))])
    }

    /// This row as the one to link the next to.
    pub const fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }

    /// The canonical JSON of the whole row, as it is stored and as it is a leaf of the Merkle tree.
    pub fn to_canonical(&self) -> Vec<u8> {
        canonical::to_vec(&Value::Object(self.to_object()))
    }

    /// Reads one row in canonical form. The hash is read, not checked: [`Replay`](crate::chain::Replay) does that.
    ///
    /// # Errors
    ///
    /// When the text is not canonical, a field is missing, unknown or of the wrong type, the kind is unknown, or the
    /// payload has not the form of its kind.
    pub fn parse(text: &[u8]) -> Result<Row, FormError> {
        RowText::parse(text).map(RowText::into_row)
    }

    fn hashed_members(&self) -> [(&'static str, Value); 4] {
        [
            ("at", self.at.into()),
            ("jobId", self.job_id.map(|id| id.to_string()).into()),
            ("kind", self.kind.text().into()),
            ("payload", self.payload.clone().into()),
        ]
    }

    pub(crate) fn to_object(&self) -> Object {
        let mut row = Object::from_iter(self.hashed_members());
        row.insert("hash", self.hash);
        row.insert("prevHash", self.prev_hash);
        row.insert("seq", self.seq);
        row
    }
}

/// A row as text: found to be canonical and typed.
pub(crate) struct RowText<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) job_id: Option<JobId>,
    pub(crate) kind: EventKind,
    pub(crate) payload: Object,
    pub(crate) prev_hash: Sha256,
    pub(crate) hash: Sha256,
    // What the hash covers after prevHash, as it was read: `{"at":…` and `"jobId":…` to the end of the payload.
    at_text: &'a [u8],
    rest_text: &'a [u8],
}

impl<'a> RowText<'a> {
    /// Reads a row that fills the whole text.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, FormError> {
        let text = std::str::from_utf8(text).map_err(|_| FormError::new("the row is not UTF-8"))?;
        let row = RowText::parse_first(text)?;
        if row.text.len() == text.len() { Ok(row) } else { Err(FormError::new("something follows the row")) }
    }

    /// Reads the row at the beginning of the text.
    pub(crate) fn parse_first(text: &'a str) -> Result<Self, FormError> {
        // Canonical order of the fields: at, hash, jobId, kind, payload, prevHash, seq.
        let mut scanner = Scanner::of(text);
        scanner.enter()?;
        scanner.open_object()?;
        let at = typed(&mut scanner, b"\"at\":", "at")?;
        let after_at = scanner.position();
        let hash = typed(&mut scanner, b",\"hash\":", "hash")?;
        scanner.exactly(b",", "expected the field jobId")?;
        let job_start = scanner.position();
        scanner.exactly(b"\"jobId\":", "expected the field jobId")?;
        let job_id = if scanner.take_null() { None } else { Some(typed(&mut scanner, b"", "jobId")?) };
        let kind = typed(&mut scanner, b",\"kind\":", "kind")?;
        scanner.exactly(b",\"payload\":", "expected the field payload")?;
        let payload = scanner.object()?;
        let payload_end = scanner.position();
        let prev_hash: Sha256 = typed(&mut scanner, b",\"prevHash\":", "prevHash")?;
        scanner.exactly(b",\"seq\":", "expected the field seq")?;
        let seq = scanner.number()?.parse().map_err(|_| FormError::field("seq", "is negative"))?;
        scanner.close_object()?;
        let text = &text.as_bytes()[..scanner.position()];
        check_payload(kind, job_id, &payload)?;

        let (at_text, rest_text) = (&text[..after_at], &text[job_start..payload_end]);
        Ok(RowText { text, seq, at, job_id, kind, payload, prev_hash, hash, at_text, rest_text })
    }

    /// The hash that the row must have, computed over the very bytes that were read.
    pub(crate) fn expected_hash(&self) -> Sha256 {
        Sha256::of_parts([&self.prev_hash.hex(), self.at_text, b",", self.rest_text, b"}"])
    }

    /// Appends the bytes that the hash covers.
    pub(crate) fn append_hashed(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.prev_hash.hex());
        bytes.extend_from_slice(self.at_text);
        bytes.push(b',');
        bytes.extend_from_slice(self.rest_text);
        bytes.push(b'}');
    }

    fn into_row(self) -> Row {
        let RowText { seq, at, job_id, kind, payload, prev_hash, hash, .. } = self;
        Row { seq, at, job_id, kind, payload, prev_hash, hash }
    }
}

fn typed<T: std::str::FromStr<Err: std::fmt::Display>>(
    scanner: &mut Scanner<'_>,
    name_text: &[u8],
    name: &'static str,
) -> Result<T, FormError> {
    if scanner.exactly(name_text, "").is_err() {
        let error = json::Error::at(scanner.position(), "expected the next field of a row");
        return Err(FormError::new(format!("{error}: {name}")));
    }
    let text = scanner.string()?;
    text.parse().map_err(|error: T::Err| FormError::field(name, &format!("is malformed: {error}")))
}
