//! RFC 3161: an authority says that it saw a digest at some time.
//!
//! Whether a certificate was revoked is not asked: that would take the network, or lists that the evidence does not hold.

mod algorithm;
mod asn1;
mod certificate;

use std::fmt;

use crate::key::pem;
use crate::{Sha256, Timestamp};
use algorithm::SHA256;
use asn1::{INTEGER, Item, OCTETS, OID, SEQUENCE, SET, context, malformed};
use certificate::Certificate;

/// Certificates of authorities whose timestamps an auditor trusts.
///
/// ```
/// use walwarden_verify::timestamp::Authorities;
///
/// assert!(Authorities::from_pem("no certificate").is_err());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Authorities(Vec<Vec<u8>>);

impl Authorities {
    /// Reads every `CERTIFICATE` block of a text, at least one. Each is trusted by itself, be it self-signed or not.
    ///
    /// # Errors
    ///
    /// When there is none, or one that is not in the form of RFC 5280.
    pub fn from_pem(text: &str) -> Result<Self, TimestampError> {
        let blocks: Option<Vec<Vec<u8>>> = pem::blocks_of(text, "CERTIFICATE").map(Result::ok).collect();
        let blocks = blocks.filter(|blocks| !blocks.is_empty());
        let blocks = blocks.ok_or(TimestampError::Malformed("there is no block CERTIFICATE"))?;
        blocks.iter().try_for_each(|block| Certificate::parse(block).map(drop))?;
        Ok(Authorities(blocks))
    }

    /// Trusts these too.
    #[must_use]
    pub fn and(mut self, others: Authorities) -> Self {
        self.0.extend(others.0);
        self
    }
}

/// Any of them may have issued any other.
const MOST_CERTIFICATES: usize = 32;

/// What a response says, once it was found to be signed by the certificate it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamp {
    /// When the digest was seen, by the authority's clock.
    pub at: Timestamp,
    /// Whether the certificate leads to one of the authorities, was valid then, and is for time stamping.
    pub trusted: bool,
}

/// Checks a `TimeStampResp` in DER over `message`.
///
/// # Errors
///
/// When it is malformed or no grant, is over something else, or its signature fails.
pub fn verify(response: &[u8], message: &[u8], authorities: &Authorities) -> Result<Stamp, TimestampError> {
    let mut response = Item::only(response, SEQUENCE)?.items();
    let status = response.expect(SEQUENCE)?.items().expect(INTEGER)?.value;
    if !matches!(status, [0 | 1]) {
        return Err(TimestampError::Malformed("the authority did not grant it"));
    }
    let signed_data = content(response.expect(SEQUENCE)?, SIGNED_DATA)?;
    response.end()?;
    let mut fields = Item::only(signed_data, SEQUENCE)?.items();
    fields.expect(INTEGER)?;
    fields.expect(SET)?;
    let info = Item::only(content(fields.expect(SEQUENCE)?, TST_INFO)?, OCTETS)?.value;
    let mut certificates = Vec::new();
    if let Some(set) = fields.optional(context(0))? {
        let mut items = set.items();
        while let Some(item) = items.next()? {
            certificates.push(Certificate::parse(item.whole)?);
            if certificates.len() > MOST_CERTIFICATES {
                return Err(TimestampError::Malformed("there are more than 32 certificates"));
            }
        }
    }
    fields.optional(context(1))?;
    let signer = Item::only(fields.expect(SET)?.value, SEQUENCE)?;
    fields.end()?;

    let Info { at, digest_of, digest } = read_info(info)?;
    let place = judge_signer(signer, info, &certificates)?;
    // Last, for a broken form to be told whatever it is over.
    if digest_of != SHA256 || digest != Sha256::of(message).as_bytes() {
        return Err(TimestampError::OtherMessage);
    }
    let roots: Result<Vec<_>, _> = authorities.0.iter().map(|root| Certificate::parse(root)).collect();
    let trusted = certificate::leads_to(&roots?, &certificates[place], &certificates, at);
    Ok(Stamp { at, trusted })
}

/// `ContentInfo` and its like: a type, and in [0] the content.
fn content<'a>(item: Item<'a>, expected: &[u8]) -> Result<&'a [u8], TimestampError> {
    let mut fields = item.items();
    if fields.expect(OID)?.value != expected {
        return Err(malformed());
    }
    let content = fields.expect(context(0))?.value;
    fields.end()?;
    Ok(content)
}

/// `TSTInfo`: the time, and by which algorithm what digest was seen.
struct Info<'a> {
    at: Timestamp,
    digest_of: &'a [u8],
    digest: &'a [u8],
}

fn read_info(info: &[u8]) -> Result<Info<'_>, TimestampError> {
    let mut fields = Item::only(info, SEQUENCE)?.items();
    if fields.expect(INTEGER)?.value != [1] {
        return Err(malformed());
    }
    fields.expect(OID)?;
    let mut imprint = fields.expect(SEQUENCE)?.items();
    let digest_of = imprint.expect(SEQUENCE)?.items().expect(OID)?.value;
    let digest = imprint.expect(OCTETS)?.value;
    fields.expect(INTEGER)?;
    let at = certificate::time(Some(fields.expect(asn1::GENERALIZED_TIME)?))?;
    // How exact the time is, whether such times are in order, a nonce, and the authority's name.
    fields.optional(SEQUENCE)?;
    fields.flag()?;
    fields.optional(INTEGER)?;
    fields.optional(context(0))?;
    if let Some(extensions) = fields.optional(context(1))? {
        refuse_critical(extensions)?;
    }
    fields.end()?;
    Ok(Info { at, digest_of, digest })
}

/// None of the extensions is known here: RFC 3161 section 2.4.2 says to refuse one that is critical.
fn refuse_critical(extensions: Item<'_>) -> Result<(), TimestampError> {
    let mut extensions = extensions.items();
    while let Some(extension) = extensions.next_of(SEQUENCE)? {
        let mut fields = extension.items();
        fields.expect(OID)?;
        if fields.flag()? {
            return Err(TimestampError::Malformed("a critical extension is not known"));
        }
    }
    Ok(())
}

/// `SignerInfo`: which of the certificates signed `info`.
fn judge_signer(
    signer: Item<'_>,
    info: &[u8],
    certificates: &[Certificate<'_>],
) -> Result<usize, TimestampError> {
    let mut fields = signer.items();
    fields.expect(INTEGER)?;
    // Who signed is told by the digest of the certificate, in the signed attributes; here by its issuer and number, or by its key.
    if fields.optional(SEQUENCE)?.is_none() {
        fields.expect(KEY_IDENTIFIER)?;
    }
    let digest_of = fields.expect(SEQUENCE)?.items().expect(OID)?.value;
    let attributes = fields.expect(context(0))?;
    let (algorithm, signature) = (fields.expect(SEQUENCE)?, fields.expect(OCTETS)?.value);
    fields.optional(context(1))?;
    fields.end()?;

    let content_type = attribute(attributes, CONTENT_TYPE)?.ok_or_else(malformed)?;
    let message_digest = attribute(attributes, MESSAGE_DIGEST)?.ok_or_else(malformed)?;
    let names = (attribute(attributes, SIGNING_CERTIFICATE_V2)?, attribute(attributes, SIGNING_CERTIFICATE)?);
    if Item::only(content_type, OID)?.value != TST_INFO {
        return Err(malformed());
    }
    if Item::only(message_digest, OCTETS)?.value != algorithm::digest(digest_of, info)? {
        return Err(TimestampError::Signature);
    }
    let place = named_certificate(names, certificates)?.ok_or(TimestampError::Signature)?;
    // What is signed are the attributes as a set of its own.
    let mut signed = attributes.whole.to_vec();
    signed[0] = SET;
    algorithm::verify(certificates[place].spki, algorithm, Some(digest_of), &signed, signature)?;
    Ok(place)
}

/// The only value of the only attribute of this type.
fn attribute<'a>(attributes: Item<'a>, kind: &[u8]) -> Result<Option<&'a [u8]>, TimestampError> {
    let (mut items, mut found) = (attributes.items(), None);
    while let Some(item) = items.next_of(SEQUENCE)? {
        let mut fields = item.items();
        let (name, values) = (fields.expect(OID)?.value, fields.expect(SET)?);
        fields.end()?;
        if name == kind && found.replace(values.value).is_some() {
            return Err(malformed());
        }
    }
    Ok(found)
}

/// The certificate whose digest stands first in `SigningCertificateV2` (RFC 5816), or `SigningCertificate` (RFC 2634).
fn named_certificate(
    (named, by_sha1): (Option<&[u8]>, Option<&[u8]>),
    certificates: &[Certificate<'_>],
) -> Result<Option<usize>, TimestampError> {
    let first = |value| Item::only(value, SEQUENCE)?.items().expect(SEQUENCE)?.items().expect(SEQUENCE);
    if let Some(value) = named {
        let mut fields = first(value)?.items();
        let digest_of = match fields.optional(SEQUENCE)? {
            Some(algorithm) => algorithm.items().expect(OID)?.value,
            None => SHA256,
        };
        let named = fields.expect(OCTETS)?.value;
        for (place, certificate) in certificates.iter().enumerate() {
            if algorithm::digest(digest_of, certificate.whole)? == named {
                return Ok(Some(place));
            }
        }
        return Ok(None);
    }
    let Some(value) = by_sha1 else { return Ok(None) };
    let named = first(value)?.items().expect(OCTETS)?.value;
    Ok(certificates.iter().position(|certificate| algorithm::sha1(certificate.whole) == named))
}

/// A response that shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampError {
    /// It is none, or not in the form that is read.
    Malformed(&'static str),
    /// It is over something else.
    OtherMessage,
    /// The signature, or what it covers, fails.
    Signature,
}

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimestampError::Malformed(what) => write!(f, "the timestamp cannot be read: {what}"),
            TimestampError::OtherMessage => f.write_str("the timestamp is over something else"),
            TimestampError::Signature => f.write_str("the timestamp's signature fails"),
        }
    }
}

impl std::error::Error for TimestampError {}

/// `subjectKeyIdentifier`: context-specific, primitive.
const KEY_IDENTIFIER: u8 = 0x80;

const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
const TST_INFO: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04";
const CONTENT_TYPE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03";
const MESSAGE_DIGEST: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04";
const SIGNING_CERTIFICATE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x0c";
const SIGNING_CERTIFICATE_V2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f";

#[cfg(test)]
mod tests;
