//! Reads a header from input that comes in pieces.

use super::{Format, Header, INT_SIZE, LocalTime, MAGIC, OFFSET_SIZE, Version};
use crate::wire::{Stop, Wire};
use crate::{Budget, Compression, Error, Text};

#[derive(Debug)]
pub(crate) struct HeaderReader {
    step: Step,
    version: Version,
    format: Format,
    compression: Compression,
    level: i32,
    created: [i32; 7],
    texts: [Option<Text>; 3],
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Magic,
    Version,
    Sizes,
    Compression,
    Created(usize),
    Texts(usize),
}

impl HeaderReader {
    pub(crate) fn new() -> Self {
        HeaderReader {
            step: Step::Magic,
            version: Version::OLDEST,
            format: Format::Custom,
            compression: Compression::None,
            level: 0,
            created: [0; 7],
            texts: [const { None }; 3],
        }
    }

    pub(crate) fn read(
        &mut self,
        wire: &mut Wire,
        budget: &Budget,
        input: &mut &[u8],
    ) -> Result<Header, Stop> {
        loop {
            let at = wire.offset();
            self.step = match self.step {
                Step::Magic => magic(wire, input)?,
                Step::Version => {
                    self.version = version(wire.bytes(input)?)?;
                    Step::Sizes
                }
                Step::Sizes => {
                    self.format = format(wire.bytes(input)?)?;
                    Step::Compression
                }
                Step::Compression => {
                    (self.compression, self.level) = if self.version.names_codec() {
                        (codec(wire.byte(input)?).map_err(|error| error.at(at))?, 0)
                    } else {
                        level(wire.int(input)?)?
                    };
                    Step::Created(0)
                }
                Step::Created(7) => Step::Texts(0),
                Step::Created(part) => {
                    self.created[part] = wire.int(input)?;
                    Step::Created(part + 1)
                }
                Step::Texts(3) => return Ok(self.header()),
                Step::Texts(text) => {
                    self.texts[text] = wire.text(budget.text_bytes, input)?;
                    Step::Texts(text + 1)
                }
            };
        }
    }

    fn header(&mut self) -> Header {
        let [database, server_version, dump_version] = std::mem::take(&mut self.texts);
        Header {
            version: self.version,
            format: self.format,
            compression: self.compression,
            level: self.level,
            created: LocalTime::from_parts(self.created),
            database,
            server_version,
            dump_version,
        }
    }
}

fn magic(wire: &mut Wire, input: &mut &[u8]) -> Result<Step, Stop> {
    let bytes: [u8; 5] = wire.bytes(input)?;
    if bytes != *MAGIC {
        let detail = "this is no custom-format archive: it does not begin with PGDMP";
        return Err(Error::malformed(detail).at(0).into());
    }
    Ok(Step::Version)
}

fn version([major, minor, revision]: [u8; 3]) -> Result<Version, Error> {
    let version = Version { major, minor, revision };
    if major != 1 || !(Version::OLDEST.minor..=Version::NEWEST.minor).contains(&minor) {
        let detail = format!("archive version {version}; 1.12 to 1.16 are read");
        return Err(Error::unsupported(detail).at(5));
    }
    Ok(version)
}

fn format([int, offset, format]: [u8; 3]) -> Result<Format, Error> {
    if int != INT_SIZE || offset != OFFSET_SIZE {
        let detail = format!("ints of {int} and offsets of {offset} bytes; pg_dump writes 4 and 8");
        return Err(Error::unsupported(detail).at(8));
    }
    match format {
        1 => Ok(Format::Custom),
        3 => Ok(Format::Directory),
        _ => {
            Err(Error::unsupported(format!("format number {format}; 1 (custom) and 3 (directory) are read"))
                .at(10))
        }
    }
}

fn codec(code: u8) -> Result<Compression, Error> {
    let codec = Compression::ALL.into_iter().find(|codec| codec.code() == code);
    codec.ok_or_else(|| Error::unsupported(format!("compression number {code}")))
}

fn level(level: i32) -> Result<(Compression, i32), Error> {
    match level {
        0 => Ok((Compression::None, 0)),
        -1..=9 => Ok((Compression::Gzip, level)),
        _ => Err(Error::malformed(format!("compression level {level}"))),
    }
}
