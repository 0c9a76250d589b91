use der::{Decode as _, Reader as _, SliceReader};

use super::TimestampError;

/// One value in DER: its first byte, its contents, and all of it.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) tag: u8,
    pub(super) value: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// Values one after the other.
#[derive(Clone, Copy)]
pub(super) struct Items<'a> {
    rest: &'a [u8],
}

const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag of a context-specific, constructed value.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

impl<'a> Item<'a> {
    /// The only value in these bytes, of this tag.
    pub(super) fn only(bytes: &'a [u8], tag: u8) -> Result<Self, TimestampError> {
        let mut items = Items { rest: bytes };
        let item = items.expect(tag)?;
        items.end()?;
        Ok(item)
    }

    pub(super) fn items(self) -> Items<'a> {
        Items { rest: self.value }
    }
}

impl<'a> Items<'a> {
    pub(super) fn next(&mut self) -> Result<Option<Item<'a>>, TimestampError> {
        let Some(tag) = self.rest.first().copied() else { return Ok(None) };
        let mut reader = SliceReader::new(self.rest).map_err(|_| malformed())?;
        let whole = reader.tlv_bytes().map_err(|_| malformed())?;
        let any = der::asn1::AnyRef::from_der(whole).map_err(|_| malformed())?;
        if tag == OID && !is_oid(any.value()) {
            return Err(malformed());
        }
        self.rest = &self.rest[whole.len()..];
        Ok(Some(Item { tag, value: any.value(), whole }))
    }

    /// The next one, of this tag, if there is any.
    pub(super) fn next_of(&mut self, tag: u8) -> Result<Option<Item<'a>>, TimestampError> {
        if self.rest.is_empty() { Ok(None) } else { self.expect(tag).map(Some) }
    }

    pub(super) fn expect(&mut self, tag: u8) -> Result<Item<'a>, TimestampError> {
        self.next()?.filter(|item| item.tag == tag).ok_or_else(malformed)
    }

    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<Item<'a>>, TimestampError> {
        if self.rest.first() == Some(&tag) { self.next() } else { Ok(None) }
    }

    /// A BOOLEAN, false where it is absent.
    pub(super) fn flag(&mut self) -> Result<bool, TimestampError> {
        match self.optional(BOOLEAN)?.map(|flag| flag.value) {
            None | Some([0]) => Ok(false),
            Some([0xff]) => Ok(true),
            Some(_) => Err(malformed()),
        }
    }

    pub(super) fn end(self) -> Result<(), TimestampError> {
        if self.rest.is_empty() { Ok(()) } else { Err(malformed()) }
    }
}

/// Whether these are arcs of seven bits a byte, each in as few bytes as it takes (X.690, 8.19.2).
fn is_oid(contents: &[u8]) -> bool {
    let begins_arc = std::iter::once(&0).chain(contents).map(|before| before & 0x80 == 0);
    let shortest = contents.iter().zip(begins_arc).all(|(byte, begins)| !(begins && *byte == 0x80));
    shortest && contents.last().is_some_and(|last| last & 0x80 == 0)
}

pub(super) fn malformed() -> TimestampError {
    TimestampError::Malformed("it is not in the DER form of its kind")
}
