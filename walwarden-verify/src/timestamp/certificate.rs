use super::TimestampError;
use super::algorithm;
use super::asn1::{
    BIT_STRING, GENERALIZED_TIME, INTEGER, Item, Items, OCTETS, OID, SEQUENCE, UTC_TIME, context, malformed,
};
use crate::Timestamp;

/// What a path needs of a certificate (RFC 5280).
pub(super) struct Certificate<'a> {
    pub(super) whole: &'a [u8],
    tbs: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    not_before: Timestamp,
    not_after: Timestamp,
    pub(super) spki: Item<'a>,
    algorithm: Item<'a>,
    signature: &'a [u8],
    /// None without the extension; otherwise whether it is a CA and how many may stand below it.
    constraints: Option<(bool, Option<u8>)>,
    may_sign_certificates: bool,
    may_sign_data: bool,
    stamps_only: bool,
    unknown_critical: bool,
}

/// More certificates than any authority has above its signer.
const MAX_PATH: usize = 6;

impl<'a> Certificate<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, TimestampError> {
        let outer = Item::only(bytes, SEQUENCE)?;
        let mut parts = outer.items();
        let (tbs, algorithm, bits) =
            (parts.expect(SEQUENCE)?, parts.expect(SEQUENCE)?, parts.expect(BIT_STRING)?);
        parts.end()?;
        let [0, signature @ ..] = bits.value else { return Err(malformed()) };
        let mut fields = tbs.items();
        fields.optional(context(0))?;
        fields.expect(INTEGER)?;
        // Once inside the signature and once outside: they must be the same.
        if fields.expect(SEQUENCE)?.whole != algorithm.whole {
            return Err(malformed());
        }
        let issuer = fields.expect(SEQUENCE)?.whole;
        let mut validity = fields.expect(SEQUENCE)?.items();
        let (not_before, not_after) = (time(validity.next()?)?, time(validity.next()?)?);
        let (subject, spki) = (fields.expect(SEQUENCE)?.whole, fields.expect(SEQUENCE)?);
        let mut certificate = Certificate {
            whole: bytes,
            tbs: tbs.whole,
            issuer,
            subject,
            not_before,
            not_after,
            spki,
            algorithm,
            signature,
            constraints: None,
            may_sign_certificates: true,
            may_sign_data: true,
            stamps_only: false,
            unknown_critical: false,
        };
        while let Some(item) = fields.next()? {
            if item.tag == context(3) {
                certificate.read_extensions(Item::only(item.value, SEQUENCE)?.items())?;
            }
        }
        Ok(certificate)
    }

    fn read_extensions(&mut self, mut extensions: Items<'a>) -> Result<(), TimestampError> {
        while let Some(extension) = extensions.next_of(SEQUENCE)? {
            let mut fields = extension.items();
            let name = fields.expect(OID)?.value;
            let critical = fields.flag()?;
            let value = fields.expect(OCTETS)?.value;
            match name {
                BASIC_CONSTRAINTS => {
                    let mut fields = Item::only(value, SEQUENCE)?.items();
                    let is_ca = fields.flag()?;
                    let below = fields.optional(INTEGER)?.map(|below| match below.value {
                        [count] => Ok(*count),
                        _ => Err(malformed()),
                    });
                    self.constraints = Some((is_ca, below.transpose()?));
                }
                KEY_USAGE => {
                    let [_, bits, ..] = Item::only(value, BIT_STRING)?.value else { return Err(malformed()) };
                    self.may_sign_certificates = bits & KEY_CERT_SIGN != 0;
                    self.may_sign_data = bits & (DIGITAL_SIGNATURE | NON_REPUDIATION) != 0;
                }
                EXTENDED_KEY_USAGE => {
                    let mut usages = Item::only(value, SEQUENCE)?.items();
                    let first = usages.expect(OID)?.value;
                    self.stamps_only = critical && first == TIME_STAMPING && usages.next()?.is_none();
                }
                _ => self.unknown_critical |= critical,
            }
        }
        Ok(())
    }

    /// Whether it may sign timestamps, by itself: RFC 3161 section 2.3.
    fn may_stamp(&self) -> bool {
        let is_ca = self.constraints.is_some_and(|(is_ca, _)| is_ca);
        self.stamps_only && self.may_sign_data && !is_ca && !self.unknown_critical
    }

    fn may_issue(&self, below: usize) -> bool {
        let Some((true, limit)) = self.constraints else { return false };
        let roomy = limit.is_none_or(|limit| below <= usize::from(limit));
        roomy && self.may_sign_certificates && !self.unknown_critical
    }

    fn is_valid_at(&self, at: Timestamp) -> bool {
        (self.not_before..=self.not_after).contains(&at)
    }

    fn is_issued_by(&self, issuer: &Certificate<'_>) -> bool {
        self.issuer == issuer.subject
            && algorithm::verify(issuer.spki, self.algorithm, None, self.tbs, self.signature).is_ok()
    }
}

/// Whether a path of certificates that were valid then leads from the signer to one of the roots.
pub(super) fn leads_to(
    roots: &[Certificate<'_>],
    signer: &Certificate<'_>,
    others: &[Certificate<'_>],
    at: Timestamp,
) -> bool {
    if !signer.may_stamp() || !signer.is_valid_at(at) {
        return false;
    }
    if roots.iter().any(|root| root.whole == signer.whole) {
        return true;
    }
    // All that stand so many certificates above the signer, and those that were not yet reached. A key may be certified by several.
    let mut reached = vec![signer];
    let mut rest: Vec<&Certificate<'_>> = others.iter().filter(|other| other.whole != signer.whole).collect();
    for below in 0..MAX_PATH {
        let issued_one = |issuer: &&Certificate<'_>| {
            let may = issuer.may_issue(below) && issuer.is_valid_at(at);
            may && reached.iter().any(|current| current.is_issued_by(issuer))
        };
        if roots.iter().any(|root| issued_one(&root)) {
            return true;
        }
        let (above, others) = rest.into_iter().partition(issued_one);
        (reached, rest) = (above, others);
    }
    false
}

/// A time of a certificate or a timestamp, in UTC; fractions of milliseconds are dropped.
pub(super) fn time(item: Option<Item<'_>>) -> Result<Timestamp, TimestampError> {
    let item = item.ok_or_else(malformed)?;
    let text = std::str::from_utf8(item.value).map_err(|_| malformed())?;
    let text = text.strip_suffix('Z').ok_or_else(malformed)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    let whole = match (item.tag, whole.len()) {
        (GENERALIZED_TIME, 14) if !whole.starts_with("0000") => whole.to_owned(),
        // RFC 5280 section 4.1.2.5.1: two digits of the years from 1950 to 2049.
        (UTC_TIME, 12) => format!("{}{whole}", if whole < "50" { "20" } else { "19" }),
        _ => return Err(malformed()),
    };
    let part = |range: std::ops::Range<usize>| &whole[range];
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    let (year, month, day) = (part(0..4), part(4..6), part(6..8));
    let text = format!("{year}-{month}-{day}T{}:{}:{}.{millis}Z", part(8..10), part(10..12), part(12..14));
    text.parse().map_err(|_| malformed())
}

const BASIC_CONSTRAINTS: &[u8] = b"\x55\x1d\x13";
const KEY_USAGE: &[u8] = b"\x55\x1d\x0f";
const EXTENDED_KEY_USAGE: &[u8] = b"\x55\x1d\x25";
const TIME_STAMPING: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x03\x08";
// Bits of key usage, the first one highest.
const DIGITAL_SIGNATURE: u8 = 0x80;
const NON_REPUDIATION: u8 = 0x40;
const KEY_CERT_SIGN: u8 = 0x04;
