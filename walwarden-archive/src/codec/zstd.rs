//! Zstandard frames (RFC 8878), by libzstd.

use std::fmt;

use zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd_safe::{CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

use super::{OUTPUT_BYTES, Output};
use crate::Error;

/// `ZSTD_error_frameParameter_windowTooLarge`, stable since libzstd 1.3.1.
const WINDOW_TOO_LARGE: usize = 16;
/// `ZSTD_error_dictionary_wrong`, stable since libzstd 1.3.1.
const DICTIONARY_WRONG: usize = 32;

/// Reads one frame after the other.
pub(super) struct FrameDecoder {
    context: DCtx<'static>,
    buffer: Box<[u8]>,
    ended: bool,
}

impl FrameDecoder {
    /// Frames may have windows of up to so many bytes, between 1 KiB and 2 GiB.
    pub(super) fn new(window_bytes: u64) -> Result<Self, Error> {
        let mut context =
            DCtx::try_create().ok_or_else(|| Error::over_limit("no memory to decompress zstd frames"))?;
        let window_log = window_bytes.max(1).ilog2().clamp(10, 31);
        context.set_parameter(DParameter::WindowLogMax(window_log)).map_err(refusal)?;
        Ok(FrameDecoder { context, buffer: vec![0; OUTPUT_BYTES].into_boxed_slice(), ended: false })
    }

    pub(super) fn decode(&mut self, input: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        if input.is_empty() {
            return Ok(());
        }
        let mut input = InBuffer::around(input);
        let is_consumed = |input: &InBuffer<'_>| input.pos() == input.src.len();
        while !self.ended {
            let mut room = OutBuffer::around(&mut *self.buffer);
            let hint = self.context.decompress_stream(&mut room, &mut input).map_err(refusal)?;
            let produced = room.as_slice();
            let was_full = produced.len() == OUTPUT_BYTES;
            if !produced.is_empty() {
                output(produced)?;
            }
            self.ended = hint == 0;
            if !self.ended && !was_full && is_consumed(&input) {
                return Ok(());
            }
        }
        if is_consumed(&input) {
            Ok(())
        } else {
            Err(Error::malformed("bytes after the end of the zstd frame"))
        }
    }

    pub(super) fn finish(&mut self) -> Result<(), Error> {
        if !self.ended {
            return Err(Error::truncated("the zstd frame ends before it is complete"));
        }
        self.context.reset(ResetDirective::SessionOnly).map_err(refusal)?;
        self.ended = false;
        Ok(())
    }
}

impl fmt::Debug for FrameDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameDecoder").field("ended", &self.ended).finish_non_exhaustive()
    }
}

fn refusal(code: usize) -> Error {
    let name = get_error_name(code);
    match code.wrapping_neg() {
        WINDOW_TOO_LARGE => Error::over_limit("the zstd frame asks for too large a window"),
        DICTIONARY_WRONG => Error::unsupported("a zstd frame with a dictionary"),
        _ => Error::malformed(format!("the zstd frame is damaged: {name}")),
    }
}

/// Writes one frame after the other, each with a checksum of its content.
pub(super) struct FrameEncoder {
    context: CCtx<'static>,
    buffer: Box<[u8]>,
}

impl FrameEncoder {
    pub(super) fn new(level: i32) -> Result<Self, Error> {
        let mut context =
            CCtx::try_create().ok_or_else(|| Error::over_limit("no memory to compress zstd frames"))?;
        context.set_parameter(CParameter::CompressionLevel(level)).map_err(failure)?;
        context.set_parameter(CParameter::ChecksumFlag(true)).map_err(failure)?;
        Ok(FrameEncoder { context, buffer: vec![0; OUTPUT_BYTES].into_boxed_slice() })
    }

    /// Compresses on so many threads of libzstd's own, in jobs of [`JOB_BYTES`]. The number of threads does not
    /// change the frames.
    #[cfg(feature = "threads")]
    pub(super) fn with_threads(level: i32, threads: u32) -> Result<Self, Error> {
        let mut encoder = FrameEncoder::new(level)?;
        encoder.context.set_parameter(CParameter::NbWorkers(threads)).map_err(failure)?;
        encoder.context.set_parameter(CParameter::JobSize(JOB_BYTES)).map_err(failure)?;
        Ok(encoder)
    }

    pub(super) fn encode(&mut self, input: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        let mut input = InBuffer::around(input);
        while input.pos() < input.src.len() {
            self.step(&mut input, ZSTD_EndDirective::ZSTD_e_continue, output)?;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        while self.step(&mut InBuffer::around(&[]), ZSTD_EndDirective::ZSTD_e_end, output)? > 0 {}
        Ok(())
    }

    /// Appends the frame of a content that is known as a whole.
    pub(super) fn compress(&mut self, content: &[u8], frame: &mut Vec<u8>) -> Result<(), Error> {
        let start = frame.len();
        frame.reserve(zstd_safe::compress_bound(content.len()));
        let mut room = OutBuffer::around_pos(frame, start);
        let mut input = InBuffer::around(content);
        let left = self
            .context
            .compress_stream2(&mut room, &mut input, ZSTD_EndDirective::ZSTD_e_end)
            .map_err(failure)?;
        debug_assert_eq!(left, 0, "a frame fits into its bound");
        Ok(())
    }

    fn step(
        &mut self,
        input: &mut InBuffer<'_>,
        end: ZSTD_EndDirective,
        output: &mut Output<'_>,
    ) -> Result<usize, Error> {
        let mut room = OutBuffer::around(&mut *self.buffer);
        let left = self.context.compress_stream2(&mut room, input, end).map_err(failure)?;
        let produced = room.as_slice();
        if !produced.is_empty() {
            output(produced)?;
        }
        Ok(left)
    }
}

impl fmt::Debug for FrameEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameEncoder").finish_non_exhaustive()
    }
}

/// What one of libzstd's threads compresses at once.
#[cfg(feature = "threads")]
const JOB_BYTES: u32 = 2 << 20;

fn failure(code: usize) -> Error {
    Error::invalid(format!("zstd cannot compress: {}", get_error_name(code)))
}
