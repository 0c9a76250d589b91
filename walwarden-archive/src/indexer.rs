use walwarden_verify::Sha256;

use crate::contents::Survey;
use crate::stream::StreamDecoder;
use crate::{Budget, Contents, Error, Event, Header, Measure, Reader, Toc};

/// Reads an archive as it passes, checks all of it, and says what it holds and where.
///
/// Every stream is decompressed to its end, so that what an `Indexer` has [finished](Self::finish) can be read by
/// `pg_restore`: structure, checksums where the codec has them, and the end of every table's rows.
///
/// ```
/// use walwarden_archive::Indexer;
///
/// let archive = include_bytes!("../tests/data/pipe-18.dump");
/// let mut indexer = Indexer::new();
/// for piece in archive.chunks(4096) {
///     indexer.update(piece)?;
/// }
/// let contents = indexer.finish()?;
/// let customers = contents.entries.iter().find(|entry| entry.is_table_data()).expect("there is a table");
/// let data = customers.data.as_ref().expect("tables have data");
/// assert_eq!((customers.name.as_str(), data.rows.expect("rows are counted").count), ("customers", 3));
///
/// let index = contents.into_index("0198c5a0-0000-7000-8000-000000000001".parse().expect("a job's id"));
/// println!("{}", index.content_root());
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
#[derive(Debug)]
pub struct Indexer {
    reader: Reader,
    survey: Survey,
    toc_size_bytes: u64,
    decoder: Option<StreamDecoder>,
    measure: Option<Measure>,
}

impl Default for Indexer {
    fn default() -> Self {
        Indexer::new()
    }
}

impl Indexer {
    /// Nothing read yet; with the default [`Budget`].
    pub fn new() -> Self {
        Indexer::with_budget(Budget::default())
    }

    /// Nothing read yet; with limits of one's own.
    pub fn with_budget(budget: Budget) -> Self {
        Indexer {
            reader: Reader::with_budget(budget),
            survey: Survey::new(),
            toc_size_bytes: 0,
            decoder: None,
            measure: None,
        }
    }

    /// The header, once it has passed.
    pub fn header(&self) -> Option<&Header> {
        self.reader.header()
    }

    /// The table of contents, once it has passed.
    pub fn toc(&self) -> Option<&Toc> {
        self.reader.toc()
    }

    /// Takes the next bytes of the archive.
    ///
    /// # Errors
    ///
    /// As [`Reader::read`] and [`Decoder::decode`](crate::codec::Decoder::decode). The indexer is of no use after that.
    pub fn update(&mut self, input: &[u8]) -> Result<(), Error> {
        let mut unhashed = input;
        let read = self.read(input, &mut unhashed);
        if read.is_err() {
            self.stored_only(unhashed);
        }
        read
    }

    /// What the archive holds, after all its bytes.
    ///
    /// # Errors
    ///
    /// As [`Reader::finish`].
    pub fn finish(self) -> Result<Contents, Error> {
        self.finish_or_chunks().map_err(|(error, _)| error)
    }

    /// What the archive holds, or why not and the digests of its bytes nevertheless.
    pub(crate) fn finish_or_chunks(self) -> Result<Contents, (Error, Vec<Sha256>)> {
        if let Err(error) = self.reader.finish() {
            return Err((error, self.into_chunks()));
        }
        let (Some(header), Some(toc)) = (self.reader.header(), self.reader.toc()) else {
            unreachable!("a finished archive has a header and a table of contents")
        };
        Ok(self.survey.finish(header, toc, self.toc_size_bytes))
    }

    /// Takes bytes for their digests, after an error has told that they are no archive.
    pub(crate) fn stored_only(&mut self, bytes: &[u8]) {
        self.survey.stored(bytes);
    }

    /// The digests of all bytes, archive or not.
    pub(crate) fn into_chunks(self) -> Vec<Sha256> {
        self.survey.into_chunks()
    }

    fn read<'a>(&mut self, mut input: &'a [u8], unhashed: &mut &'a [u8]) -> Result<(), Error> {
        // Rows come in chunks of their own: what was read is hashed in longer pieces than it is read.
        while !input.is_empty() {
            let event = self.reader.read(&mut input)?;
            let at_edge = matches!(event, Some(Event::BlockStart(_) | Event::BlockEnd { .. }));
            if at_edge || input.is_empty() {
                self.survey.stored(&unhashed[..unhashed.len() - input.len()]);
                *unhashed = input;
            }
            if let Some(event) = event {
                self.take(event).map_err(|error| error.at(self.reader.offset()))?;
            }
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), Error> {
        let missing = || Error::invalid("the archive was refused before");
        match event {
            Event::Header => {
                let codec = self.reader.header().ok_or_else(missing)?.compression();
                self.decoder = Some(StreamDecoder::new(codec)?);
            }
            Event::Toc => self.toc_size_bytes = self.reader.offset(),
            Event::BlockStart(block) => {
                let entry = self.reader.toc().and_then(|toc| toc.entry(block.dump_id)).ok_or_else(missing)?;
                self.measure = Some(Measure::of(entry));
                self.survey.start(block);
            }
            Event::Data(data) => {
                let (Some(decoder), Some(measure)) = (&mut self.decoder, &mut self.measure) else {
                    return Err(missing());
                };
                decoder.decode(data, &mut |data| measure.update(data))?;
            }
            Event::LargeObjectStart { .. } => {}
            Event::LargeObjectEnd => self.decoder.as_mut().ok_or_else(missing)?.finish()?,
            Event::BlockEnd { end, .. } => {
                self.decoder.as_mut().ok_or_else(missing)?.finish()?;
                let measured = self.measure.take().ok_or_else(missing)?.finish()?;
                self.survey.end(end, measured);
            }
        }
        Ok(())
    }
}
