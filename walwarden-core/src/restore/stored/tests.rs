use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::storage::{Abilities, Fetched, Listed, MemoryStorage, StorageExt, Upload, UploadId};

/// One of each codec, of the versions that have it.
const ARCHIVES: [&[u8]; 4] = [
    include_bytes!("../../../../walwarden-archive/tests/data/none-14.dump"),
    include_bytes!("../../../../walwarden-archive/tests/data/pipe-16.dump"),
    include_bytes!("../../../../walwarden-archive/tests/data/lz4-17.dump"),
    include_bytes!("../../../../walwarden-archive/tests/data/zstd-18.dump"),
];

async fn stored(bytes: &[u8]) -> Arc<dyn Storage> {
    let storage = MemoryStorage::new();
    storage.put(&name(), Bytes::copy_from_slice(bytes)).await.unwrap();
    Arc::new(storage)
}

fn name() -> ObjectName {
    ObjectName::new("a.dump").unwrap()
}

/// What the index says of `archive`, and what lies in `storage`.
async fn open(archive: &[u8], storage: Arc<dyn Storage>) -> Result<StoredDump> {
    let job_id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    let index = walwarden_archive::index(archive).unwrap().into_index(job_id);
    StoredDump::of(storage, name(), archive.len() as u64, index, 2).await
}

async fn read(mut reading: Reading) -> Result<Vec<u8>> {
    let mut read = Vec::new();
    while let Some(piece) = reading.next().await? {
        read.extend_from_slice(&piece);
    }
    Ok(read)
}

/// The same dump, its bytes from elsewhere, nothing of it kept.
fn with_storage(dump: &StoredDump, storage: Arc<dyn Storage>) -> StoredDump {
    let Object { name, size_bytes, index, kept_chunks, .. } = dump.object.as_ref();
    let object = Object {
        storage,
        name: name.clone(),
        size_bytes: *size_bytes,
        index: Arc::clone(index),
        recent: Mutex::default(),
        kept_chunks: *kept_chunks,
    };
    StoredDump { object: Arc::new(object), ..dump.clone() }
}

#[tokio::test]
async fn blocks_come_as_they_lie_there() {
    for archive in ARCHIVES {
        let dump = open(archive, stored(archive).await).await.unwrap();
        let blocks = dump.blocks(&dump.head.toc).unwrap();
        assert!(blocks.len() >= 4);
        for (_, block) in blocks {
            let expected = &archive[block.offset as usize..][..block.length as usize];
            assert_eq!(read(dump.read_block(block)).await.unwrap(), expected);
            assert_eq!(read(dump.read_chunks(block)).await.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn no_changed_byte_is_ever_handed_on() {
    for archive in ARCHIVES {
        let whole = open(archive, stored(archive).await).await.unwrap();
        let blocks = whole.blocks(&whole.head.toc).unwrap();
        for at in 0..archive.len() {
            let mut changed = archive.to_vec();
            changed[at] ^= 1 << (at % 8);
            let storage = stored(&changed).await;
            let error = open(archive, Arc::clone(&storage)).await.unwrap_err();
            assert_eq!(error.code(), Code::ArtifactMismatch, "byte {at}");
            let dump = with_storage(&whole, storage);
            for (_, block) in &blocks {
                let is_in_it = (block.offset..block.offset + block.length).contains(&(at as u64));
                let outcome = read(dump.read_block(block)).await.map_err(|error| error.code());
                assert_eq!(outcome.is_err(), is_in_it, "byte {at}");
                assert!(outcome.is_ok() || outcome == Err(Code::ArtifactMismatch));
            }
        }
    }
}

#[tokio::test]
async fn a_dump_that_was_cut_or_has_grown_is_refused() {
    for archive in ARCHIVES {
        let whole = open(archive, stored(archive).await).await.unwrap();
        let (_, first) = whole.blocks(&whole.head.toc).unwrap()[0];
        let longer = [archive, b"\0"].concat();
        for length in (0..archive.len()).step_by(7).chain([archive.len() + 1]) {
            let storage = stored(&longer[..length]).await;
            let code = |outcome: Result<Vec<u8>>| outcome.unwrap_err().code();
            assert_eq!(open(archive, Arc::clone(&storage)).await.unwrap_err().code(), Code::ArtifactMismatch);
            let dump = with_storage(&whole, storage);
            assert_eq!(code(read(dump.read_block(first)).await), Code::ArtifactMismatch);
            assert_eq!(code(read(dump.read_chunks(first)).await), Code::ArtifactMismatch);
        }
    }
}

#[tokio::test]
async fn readers_that_want_the_same_chunk_fetch_it_once() {
    let archive = ARCHIVES[3];
    let dump = open(archive, stored(archive).await).await.unwrap();
    let counting = Arc::new(Counting { inner: stored(archive).await, calls: AtomicUsize::new(0) });
    let dump = with_storage(&dump, counting.clone());
    let chunks = futures::future::join_all((0..5).map(|_| dump.object.chunk(0))).await;
    assert!(chunks.iter().all(|chunk| chunk.as_ref().unwrap() == archive));
    assert_eq!(counting.calls.load(Ordering::Relaxed), 1);
    let beyond = dump.object.chunk(1).await.unwrap_err();
    assert_eq!(beyond.code(), Code::ArtifactMismatch);
}

/// Answers late, so that others ask meanwhile.
#[derive(Debug)]
struct Counting {
    inner: Arc<dyn Storage>,
    calls: AtomicUsize,
}

#[async_trait]
impl Storage for Counting {
    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Fetched> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        self.inner.get(name, range).await
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        self.inner.upload(name).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        self.inner.list(prefix).await
    }

    async fn abandon(&self, name: &ObjectName, upload: &UploadId) -> Result<()> {
        self.inner.abandon(name, upload).await
    }

    async fn abilities(&self) -> Result<Abilities> {
        self.inner.abilities().await
    }
}
