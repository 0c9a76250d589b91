//! The suite. A failing check panics with the sentence of the contract that does not hold.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::join_all;
use walwarden_core::storage::{ObjectName, Storage, StorageExt, UploadId};
use walwarden_core::verify::Sha256;
use walwarden_core::{Code, Result};

/// Checks an implementation of [`Storage`] against its contract. `make` gives a fresh, empty storage each time.
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use walwarden_core::storage::MemoryStorage;
///
/// walwarden_testkit::storage::suite(async || Arc::new(MemoryStorage::new())).await;
/// # });
/// ```
///
/// # Panics
/// When the implementation breaks the contract; the message says which part.
pub async fn suite<S: Storage + ?Sized>(make: impl AsyncFn() -> Arc<S>) {
    objects_come_back_whole(&*make().await).await;
    a_taken_name_is_refused_and_its_object_stays(&*make().await).await;
    one_of_eight_racing_writers_wins(make().await).await;
    one_of_two_racing_large_writers_wins(make().await).await;
    ranges_are_exact_or_refused(&*make().await).await;
    what_is_missing_is_called_missing(&*make().await).await;
    listings_are_ordered_and_cut_at_segments(&*make().await).await;
    unfinished_uploads_are_invisible(&*make().await).await;
    large_objects_survive_uneven_chunks(&*make().await).await;
    reserved_names_are_refused(&*make().await).await;
    the_probe_leaves_nothing_visible(&*make().await).await;
}

async fn objects_come_back_whole<S: Storage + ?Sized>(storage: &S) {
    for (text, body) in [("a/empty", ""), ("a/one", "1"), ("b", "some bytes"), ("c.d_e-f/G", "\0\u{ff}\n")] {
        let name = name(text);
        let stored = storage.put(&name, body.into()).await.expect("a free name can be taken");
        assert_eq!(stored.size_bytes, body.len() as u64, "the receipt tells the size of {name}");
        let read = storage.read(&name, 100).await.expect("what was stored can be read");
        assert_eq!(read, body, "{name} comes back as it was stored");
    }
    let refused = storage.read(&name("b"), 3).await;
    assert_code(refused, Code::ArgumentInvalid, "an object above the limit is not read");
}

async fn a_taken_name_is_refused_and_its_object_stays<S: Storage + ?Sized>(storage: &S) {
    let name = name("org/local/manifest.json");
    storage.put(&name, "first".into()).await.expect("a free name can be taken");
    for body in ["second", "first", ""] {
        let refused = storage.put(&name, body.into()).await;
        assert_code(refused, Code::ObjectExists, "a second upload to a name is refused");
    }
    let refused = put_large(storage, &name, &noise(9 << 20, 1)).await;
    assert_code(refused, Code::ObjectExists, "a large upload to a taken name is refused");
    assert_eq!(storage.read(&name, 100).await.expect("still there"), "first", "the first body stays");
}

async fn one_of_eight_racing_writers_wins<S: Storage + ?Sized>(storage: Arc<S>) {
    for round in 0..4 {
        let name = name(&format!("race/{round}"));
        let bodies: Vec<String> = (0..8).map(|writer| format!("writer {writer}")).collect();
        let outcomes = join_all(bodies.iter().map(|body| storage.put(&name, body.clone().into()))).await;
        check_race(
            &*storage,
            &name,
            &bodies.iter().map(|body| body.as_bytes()).collect::<Vec<_>>(),
            outcomes,
        )
        .await;
    }
}

async fn one_of_two_racing_large_writers_wins<S: Storage + ?Sized>(storage: Arc<S>) {
    if !storage.abilities().await.expect("a store can be probed").put_if_absent {
        return; // the storage says itself that it cannot promise this
    }
    let name = name("race/large");
    let (one, two) = (noise(9 << 20, 1), noise(9 << 20, 2));
    let outcomes = join_all([put_large(&*storage, &name, &one), put_large(&*storage, &name, &two)]).await;
    check_race(&*storage, &name, &[&one, &two], outcomes).await;
}

async fn check_race<S: Storage + ?Sized, T: std::fmt::Debug>(
    storage: &S,
    name: &ObjectName,
    bodies: &[&[u8]],
    outcomes: Vec<Result<T>>,
) {
    let mut winner = None;
    for (outcome, body) in outcomes.into_iter().zip(bodies) {
        match outcome {
            Ok(_) => {
                assert!(winner.is_none(), "two racing writers of {name} both succeeded");
                winner = Some(*body);
            }
            Err(error) => {
                assert_eq!(error.code(), Code::ObjectExists, "losers of a race are told so: {error:?}")
            }
        }
    }
    let winner = winner.expect("one racing writer succeeds");
    let stored = storage.read(name, 1 << 30).await.expect("the winner's object is there");
    assert!(stored == winner, "the stored object is the winner's");
}

async fn ranges_are_exact_or_refused<S: Storage + ?Sized>(storage: &S) {
    let name = name("ranged");
    let body = noise(700_001, 3);
    storage.put(&name, body.clone()).await.expect("a free name can be taken");
    for range in
        [0..1, 0..700_001, 5..5, 0..0, 700_001..700_001, 262_143..262_145, 700_000..700_001, 1..699_999]
    {
        let fetched = storage.get(&name, Some(range.clone())).await.expect("a range inside can be read");
        assert_eq!(fetched.size_bytes, 700_001, "the size of the whole object is told for {range:?}");
        let chunks: Vec<Bytes> = fetched.body.try_collect().await.expect("the range arrives whole");
        let expected = &body[range.start as usize..range.end as usize];
        assert!(chunks.concat() == expected, "the bytes of {range:?} are the ones asked for");
    }
    #[allow(clippy::reversed_empty_ranges)] // a backwards range is one of the bad inputs
    for range in [0..700_002, 700_001..700_002, 9_000_000..9_000_001, 3..2, u64::MAX..u64::MAX] {
        let refused = storage.get(&name, Some(range)).await;
        assert_code(refused, Code::ArgumentInvalid, "a range that is not inside the object is refused");
    }
}

async fn what_is_missing_is_called_missing<S: Storage + ?Sized>(storage: &S) {
    storage.put(&name("there/object"), "x".into()).await.expect("a free name can be taken");
    for text in ["absent", "there", "there/absent", "there/object/below"] {
        assert_code(storage.get(&name(text), None).await, Code::ObjectMissing, "a missing object");
        assert_code(
            storage.get(&name(text), Some(0..1)).await,
            Code::ObjectMissing,
            "a range of a missing object",
        );
        assert_code(
            storage.get(&name(text), Some(0..0)).await,
            Code::ObjectMissing,
            "no bytes of a missing object",
        );
    }
}

async fn listings_are_ordered_and_cut_at_segments<S: Storage + ?Sized>(storage: &S) {
    assert!(storage.list("").await.expect("an empty storage can be listed").is_empty());
    let names = ["a/b/c", "a/b-c", "a/b.c", "a/b/C", "ab", "a-", "a/b0", "z/y/x/w", "a/b/c.d/e", "A/b"];
    for text in names {
        storage.put(&name(text), text.into()).await.expect("a free name can be taken");
    }
    let mut sorted = names;
    sorted.sort_unstable();
    for prefix in ["", "a", "a/b", "a/b/c", "a/b/c.d", "z/y", "absent", "a/absent", "A"] {
        let found = storage.list(prefix).await.expect("a storage can be listed");
        let below = format!("{prefix}/");
        let expected: Vec<&str> =
            sorted.iter().copied().filter(|text| prefix.is_empty() || text.starts_with(&below)).collect();
        let found_names: Vec<&str> = found.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(found_names, expected, "what lies below {prefix:?}, in order of name");
        assert!(found.iter().all(|row| row.size_bytes == row.name.as_str().len() as u64), "sizes are told");
    }
    for prefix in ["a/", "/a", "a//b", "..", "ä"] {
        assert_code(storage.list(prefix).await, Code::ArgumentInvalid, "a prefix that is no name is refused");
    }
}

async fn unfinished_uploads_are_invisible<S: Storage + ?Sized>(storage: &S) {
    let name = name("org/unfinished");
    for how in ["dropped", "aborted", "abandoned"] {
        let mut upload = storage.upload(&name).await.expect("an upload can begin");
        for chunk in noise(9 << 20, 4).chunks(1 << 20) {
            upload.write(Bytes::copy_from_slice(chunk)).await.expect("an upload takes bytes");
        }
        let id = upload.id();
        assert!(storage.list("").await.expect("listing").is_empty(), "an unfinished upload is not listed");
        assert_code(
            storage.get(&name, None).await,
            Code::ObjectMissing,
            "an unfinished upload cannot be read",
        );
        match how {
            "aborted" => upload.abort().await.expect("an upload can be given up"),
            _ => drop(upload),
        }
        if let Some(UploadId(id)) = id {
            for _ in 0..2 {
                let abandoned = storage.abandon(&name, &UploadId(id.clone())).await;
                abandoned.expect("leftovers can be removed, also when nothing is left");
            }
        }
        assert!(storage.list("").await.expect("listing").is_empty(), "a {how} upload leaves nothing visible");
    }
    storage.put(&name, "after all".into()).await.expect("the name is still free");
    assert_eq!(storage.read(&name, 100).await.expect("reading"), "after all");
}

async fn large_objects_survive_uneven_chunks<S: Storage + ?Sized>(storage: &S) {
    for (text, size) in [
        ("edge/below", (8 << 20) - 1),
        ("edge/at", 8 << 20),
        ("edge/above", (8 << 20) + 1),
        ("big", 41_943_043),
    ] {
        let name = name(text);
        let body = noise(size, 5);
        let stored = put_large(storage, &name, &body).await.expect("a large object can be stored");
        assert_eq!(stored, size as u64, "the receipt tells the size of {name}");
        let mut fetched = storage.get(&name, None).await.expect("reading");
        assert_eq!(fetched.size_bytes, size as u64);
        let mut read = Vec::with_capacity(size);
        while let Some(chunk) = fetched.body.try_next().await.expect("the body arrives whole") {
            assert!(
                chunk.len() >= 256 << 10 || read.len() + chunk.len() == size,
                "chunks are at least 256 KiB, save the last"
            );
            read.extend_from_slice(&chunk);
        }
        assert_eq!(Sha256::of(&read), Sha256::of(&body), "{name} comes back as it was stored");
    }
}

async fn reserved_names_are_refused<S: Storage + ?Sized>(storage: &S) {
    for text in [".walwarden", ".walwarden/staging/x"] {
        let refused = storage.upload(&name(text)).await;
        assert_code(refused, Code::ArgumentInvalid, "the storage's own names are refused");
    }
    storage.put(&name(".walwarden-other/x"), "x".into()).await.expect("a similar name is free");
    assert_eq!(storage.list("").await.expect("listing").len(), 1);
}

async fn the_probe_leaves_nothing_visible<S: Storage + ?Sized>(storage: &S) {
    let first = storage.abilities().await.expect("a store can be probed");
    assert_eq!(first, storage.abilities().await.expect("probed"), "the answer is kept");
    assert_eq!(first.put_if_absent, first.note.is_none(), "what is lacking is explained");
    for prefix in ["", ".walwarden", ".walwarden/staging"] {
        assert!(storage.list(prefix).await.expect("listing").is_empty(), "probes are not listed");
    }
    let name = name("after/probe");
    storage.put(&name, "once".into()).await.expect("a free name can be taken");
    assert_code(storage.put(&name, "twice".into()).await, Code::ObjectExists, "put-once after the probe");
}

/// Uploads in chunks of very different sizes.
async fn put_large<S: Storage + ?Sized>(storage: &S, name: &ObjectName, body: &Bytes) -> Result<u64> {
    let mut upload = storage.upload(name).await?;
    let mut rest = body.clone();
    for size in [3, 70_000, 0, 1 << 20, 9 << 20, 4_095, 17].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        if let Err(error) = upload.write(rest.split_to(rest.len().min(size))).await {
            upload.abort().await?;
            return Err(error);
        }
    }
    Ok(upload.finish().await?.size_bytes)
}

fn assert_code<T>(outcome: Result<T>, code: Code, what: &str) {
    match outcome {
        Ok(_) => panic!("{what}: succeeded instead of {code}"),
        Err(error) => assert_eq!(error.code(), code, "{what}: {error:?}"),
    }
}

fn name(text: &str) -> ObjectName {
    ObjectName::new(text).expect("the suite's own names are valid")
}

/// Bytes that do not repeat, the same for the same seed (xorshift64).
fn noise(size: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut body = Vec::with_capacity(size + 8);
    while body.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        body.extend_from_slice(&state.to_le_bytes());
    }
    body.truncate(size);
    body.into()
}
