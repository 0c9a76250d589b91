use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use super::TimestampError;
use super::asn1::{BIT_STRING, Item, NULL, OID, SEQUENCE, malformed};

/// A digest that is still good, or in names of certificates once was.
pub(super) fn digest(oid: &[u8], bytes: &[u8]) -> Result<Vec<u8>, TimestampError> {
    let algorithm = match oid {
        SHA256 => &digest::SHA256,
        SHA384 => &digest::SHA384,
        SHA512 => &digest::SHA512,
        _ => {
            return Err(TimestampError::Malformed(
                "its digest algorithm is none of SHA-256, SHA-384 and SHA-512",
            ));
        }
    };
    Ok(digest::digest(algorithm, bytes).as_ref().to_vec())
}

pub(super) fn sha1(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

/// Checks a signature by the key in this SubjectPublicKeyInfo. `digest` counts where the signature's algorithm names none.
pub(super) fn verify(
    spki: Item<'_>,
    algorithm: Item<'_>,
    digest: Option<&[u8]>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), TimestampError> {
    let mut fields = spki.items();
    let mut of_key = fields.expect(SEQUENCE)?.items();
    let (key_kind, curve) = (of_key.expect(OID)?.value, of_key.optional(OID)?.map(|curve| curve.value));
    if key_kind == RSA {
        of_key.optional(NULL)?;
    }
    of_key.end()?;
    // The first byte tells how many bits at the end are not used: none.
    let [0, key @ ..] = fields.expect(BIT_STRING)?.value else { return Err(malformed()) };
    fields.end()?;
    let named = algorithm.items().expect(OID)?.value;
    let check = algorithm_of(key_kind, curve, named, digest).ok_or(TimestampError::Malformed(
        "its signature algorithm is none of RSA, ECDSA on P-256, P-384 and P-521, and Ed25519, with SHA-2",
    ))?;
    UnparsedPublicKey::new(check, key).verify(message, signature).map_err(|_| TimestampError::Signature)
}

fn algorithm_of(
    key: &[u8],
    curve: Option<&[u8]>,
    named: &[u8],
    digest: Option<&[u8]>,
) -> Option<&'static dyn VerificationAlgorithm> {
    let hash = match named {
        RSA | ED25519 => digest,
        RSA_SHA256 | ECDSA_SHA256 => Some(SHA256),
        RSA_SHA384 | ECDSA_SHA384 => Some(SHA384),
        RSA_SHA512 | ECDSA_SHA512 => Some(SHA512),
        _ => return None,
    };
    let with_rsa = matches!(named, RSA | RSA_SHA256 | RSA_SHA384 | RSA_SHA512);
    let with_ecdsa = matches!(named, ECDSA_SHA256 | ECDSA_SHA384 | ECDSA_SHA512);
    Some(match (key, curve, hash) {
        (RSA, None, Some(SHA256)) if with_rsa => &signature::RSA_PKCS1_2048_8192_SHA256,
        (RSA, None, Some(SHA384)) if with_rsa => &signature::RSA_PKCS1_2048_8192_SHA384,
        (RSA, None, Some(SHA512)) if with_rsa => &signature::RSA_PKCS1_2048_8192_SHA512,
        (EC, Some(P256), Some(SHA256)) if with_ecdsa => &signature::ECDSA_P256_SHA256_ASN1,
        (EC, Some(P256), Some(SHA384)) if with_ecdsa => &signature::ECDSA_P256_SHA384_ASN1,
        (EC, Some(P384), Some(SHA256)) if with_ecdsa => &signature::ECDSA_P384_SHA256_ASN1,
        (EC, Some(P384), Some(SHA384)) if with_ecdsa => &signature::ECDSA_P384_SHA384_ASN1,
        (EC, Some(P521), Some(SHA512)) if with_ecdsa => &signature::ECDSA_P521_SHA512_ASN1,
        (ED25519, None, _) if named == ED25519 => &signature::ED25519,
        _ => return None,
    })
}

// Object identifiers, in DER.
pub(super) const SHA256: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01";
const SHA384: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x02";
const SHA512: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x03";
const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const RSA_SHA256: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
const RSA_SHA384: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c";
const RSA_SHA512: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d";
const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
const P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
const P384: &[u8] = b"\x2b\x81\x04\x00\x22";
const P521: &[u8] = b"\x2b\x81\x04\x00\x23";
const ECDSA_SHA256: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x02";
const ECDSA_SHA384: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x03";
const ECDSA_SHA512: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x04";
const ED25519: &[u8] = b"\x2b\x65\x70";
