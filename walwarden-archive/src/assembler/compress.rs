//! One encoder or several, with what they put out written in its turn.

use std::collections::VecDeque;
#[cfg(feature = "threads")]
use std::num::NonZeroUsize;

#[cfg(feature = "threads")]
use crate::codec::Encoders;
use crate::codec::{Encoder, Encoding, Output};
use crate::{Error, Measured, Writer};

/// Compresses streams one after the other.
#[derive(Debug)]
pub(crate) enum Compressor {
    /// Here: each stream is out before the next goes in.
    Here(Box<Encoder>),
    /// On threads: streams come out later than they went in, in the same order.
    #[cfg(feature = "threads")]
    OnThreads(Box<Encoders>),
}

/// A part of the archive that follows those before it.
#[derive(Debug)]
pub(super) enum Part {
    BlockStart(i32),
    LargeObjectStart(u32),
    /// A compressed stream, which comes out of the compressor.
    Stream,
    LargeObjectEnd,
    BlockEnd(Measured),
}

/// Writes parts in their order, as soon as the streams before them are complete.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) writer: Writer,
    waiting: VecDeque<Part>,
}

impl Compressor {
    pub(crate) fn here(encoding: Encoding) -> Result<Self, Error> {
        Ok(Compressor::Here(Box::new(Encoder::new(encoding)?)))
    }

    #[cfg(feature = "threads")]
    pub(crate) fn on_threads(encoding: Encoding, threads: NonZeroUsize) -> Result<Self, Error> {
        Ok(Compressor::OnThreads(Box::new(Encoders::new(encoding, threads)?)))
    }

    /// Takes the next bytes of the current stream.
    pub(super) fn encode(
        &mut self,
        data: &[u8],
        queue: &mut Queue,
        output: &mut Output<'_>,
    ) -> Result<(), Error> {
        match self {
            Compressor::Here(encoder) => encoder.encode(data, &mut |data| queue.writer.data(data, output)),
            #[cfg(feature = "threads")]
            Compressor::OnThreads(encoders) => encoders.encode(data, &mut |ready| queue.take(ready, output)),
        }
    }

    /// Ends the current stream.
    pub(super) fn end(&mut self, queue: &mut Queue, output: &mut Output<'_>) -> Result<(), Error> {
        match self {
            Compressor::Here(encoder) => {
                encoder.finish(&mut |data| queue.writer.data(data, output))?;
                queue.end_stream(output)
            }
            #[cfg(feature = "threads")]
            Compressor::OnThreads(encoders) => encoders.end_block(&mut |ready| queue.take(ready, output)),
        }
    }

    /// Waits for all streams that were ended.
    pub(super) fn flush(&mut self, queue: &mut Queue, output: &mut Output<'_>) -> Result<(), Error> {
        match self {
            Compressor::Here(_) => {
                let _ = (queue, output);
                Ok(())
            }
            #[cfg(feature = "threads")]
            Compressor::OnThreads(encoders) => encoders.flush(&mut |ready| queue.take(ready, output)),
        }
    }
}

impl Queue {
    pub(super) fn new(writer: Writer) -> Self {
        Queue { writer, waiting: VecDeque::new() }
    }

    pub(super) fn push(&mut self, part: Part, output: &mut Output<'_>) -> Result<(), Error> {
        self.waiting.push_back(part);
        self.write_ready(output)
    }

    #[cfg(feature = "threads")]
    fn take(&mut self, ready: crate::codec::Encoded<'_>, output: &mut Output<'_>) -> Result<(), Error> {
        match ready {
            crate::codec::Encoded::Bytes(data) => self.writer.data(data, output),
            crate::codec::Encoded::End => self.end_stream(output),
        }
    }

    fn end_stream(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        // The stream in front of all others is the one that ended.
        self.waiting.pop_front();
        self.write_ready(output)
    }

    fn write_ready(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        while let Some(part) = self.waiting.front() {
            match *part {
                Part::Stream => return Ok(()),
                Part::BlockStart(dump_id) => self.writer.start_block(dump_id, output)?,
                Part::LargeObjectStart(oid) => self.writer.start_large_object(oid, output)?,
                Part::LargeObjectEnd => self.writer.end_large_object(output)?,
                Part::BlockEnd(measured) => self.writer.end_block(measured, output)?,
            }
            self.waiting.pop_front();
        }
        Ok(())
    }
}
