//! Threads that compress, and what they made in the order of the work.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

use super::piece::{Piece, PieceCompressor};
use super::{Encoded, Encoding};
use crate::Error;

/// Pieces with less content are compressed by whoever brings them: to hand them over would take longer.
const HANDED_OVER_BYTES: usize = 4 * 1024;

/// Where a pool puts what its threads made, in order.
type Output<'a> = dyn FnMut(Encoded<'_>) -> Result<(), Error> + 'a;

/// Threads that live as long as the pool, each with a compressor it uses again and again.
pub(super) struct Pool {
    own: PieceCompressor,
    jobs: Option<Sender<Job>>,
    done: Receiver<Done>,
    threads: Vec<JoinHandle<()>>,
    /// The pieces that were not put out yet, in order.
    pending: VecDeque<Pending>,
    pending_max: usize,
    /// The number of the first pending piece, counted from the first ever.
    first: u64,
    spare: Vec<Vec<u8>>,
}

struct Pending {
    ends_block: bool,
    stream: Option<Result<Vec<u8>, Error>>,
}

struct Job {
    number: u64,
    piece: Piece,
    stream: Vec<u8>,
}

struct Done {
    number: u64,
    content: Vec<u8>,
    stream: Result<Vec<u8>, Error>,
}

impl Pool {
    pub(super) fn new(encoding: Encoding, threads: NonZeroUsize) -> Result<Self, Error> {
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let (report, done) = channel();
        let mut pool = Pool {
            own: PieceCompressor::new(encoding)?,
            jobs: Some(jobs),
            done,
            threads: Vec::new(),
            pending: VecDeque::new(),
            pending_max: 2 * threads.get() + 2,
            first: 0,
            spare: Vec::new(),
        };
        for _ in 0..threads.get() {
            let compressor = PieceCompressor::new(encoding)?;
            let (queue, report) = (Arc::clone(&queue), report.clone());
            let thread = Builder::new().name("compress".into()).spawn(|| work(compressor, queue, report))?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// An empty buffer, with the room of one that was used before if there is one.
    pub(super) fn spare(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Hands a piece to the threads and puts out what is ready. Waits as long as too much is pending.
    pub(super) fn submit(&mut self, piece: Piece, output: &mut Output<'_>) -> Result<(), Error> {
        while self.pending.len() >= self.pending_max {
            self.wait(output)?;
        }
        let mut pending = Pending { ends_block: piece.end.is_some(), stream: None };
        let mut stream = self.spare();
        if piece.content.len() < HANDED_OVER_BYTES {
            pending.stream = Some(self.own.compress(&piece, &mut stream).map(|()| stream));
            self.keep(piece.content);
        } else {
            let job = Job { number: self.first + self.pending.len() as u64, piece, stream };
            let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
            if !sent {
                return Err(Error::invalid("the threads that compress have ended"));
            }
        }
        self.pending.push_back(pending);
        while let Ok(done) = self.done.try_recv() {
            self.settle(done);
        }
        self.put_out(output)
    }

    /// Waits for all pieces and puts them out.
    pub(super) fn drain(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        self.put_out(output)?;
        while !self.pending.is_empty() {
            self.wait(output)?;
        }
        Ok(())
    }

    fn wait(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        match self.done.recv() {
            Ok(done) => self.settle(done),
            Err(_) => return Err(Error::invalid("the threads that compress have ended")),
        }
        self.put_out(output)
    }

    fn settle(&mut self, done: Done) {
        let place = (done.number - self.first) as usize;
        self.pending[place].stream = Some(done.stream);
        self.keep(done.content);
    }

    fn put_out(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        while let Some(stream) = self.pending.front_mut().and_then(|pending| pending.stream.take()) {
            let ends_block = self.pending.pop_front().is_some_and(|pending| pending.ends_block);
            self.first += 1;
            let stream = stream?;
            if !stream.is_empty() {
                output(Encoded::Bytes(&stream))?;
            }
            self.keep(stream);
            if ends_block {
                output(Encoded::End)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < self.pending_max {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // Panics were caught and reported where they happened.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (threads, pending) = (self.threads.len(), self.pending.len());
        f.debug_struct("Pool").field("threads", &threads).field("pending", &pending).finish_non_exhaustive()
    }
}

/// What a thread does until the pool is dropped.
fn work(mut compressor: PieceCompressor, queue: Arc<Mutex<Receiver<Job>>>, report: Sender<Done>) {
    loop {
        let job = queue.lock().map(|queue| queue.recv());
        let Ok(Ok(Job { number, piece, mut stream })) = job else { return };
        // A piece that is never reported would be waited for without end.
        let result = catch_unwind(AssertUnwindSafe(|| compressor.compress(&piece, &mut stream)))
            .unwrap_or_else(|_| Err(Error::invalid("a thread that compresses panicked")));
        let done = Done { number, content: piece.content, stream: result.map(|()| stream) };
        if report.send(done).is_err() {
            return;
        }
    }
}
