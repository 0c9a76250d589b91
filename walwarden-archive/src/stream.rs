use crate::codec::{Decoder, Limits, Output};
use crate::{Compression, Error};

/// Decodes the streams of an archive one after the other. Where nothing at all was stored, nothing is decoded: for
/// `pg_restore` that is as good as an empty stream.
#[derive(Debug)]
pub(crate) struct StreamDecoder {
    decoder: Decoder,
    begun: bool,
}

impl StreamDecoder {
    pub(crate) fn new(codec: Compression) -> Result<Self, Error> {
        Ok(StreamDecoder { decoder: Decoder::new(codec, Limits::default())?, begun: false })
    }

    pub(crate) fn decode(&mut self, data: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        self.begun = true;
        self.decoder.decode(data, output)
    }

    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.begun) { self.decoder.finish() } else { Ok(()) }
    }
}
