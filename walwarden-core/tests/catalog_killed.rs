//! Processes that are killed in the middle of writing, and processes that race.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use walwarden_core::catalog::{Catalog, CatalogExt, Job, JobQuery, JobState, SqliteCatalog, Step};
use walwarden_core::chain::Fact;
use walwarden_core::verify::EventKind;
use walwarden_core::verify::json::Object;
use walwarden_core::{Code, Error};
use walwarden_testkit::catalog::{LEASE, consistent_rows, failed, now, queue};
use walwarden_testkit::chain::{genesis, subject};
use walwarden_testkit::clock::after;

#[tokio::test]
async fn killed_in_the_middle_of_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.sqlite");
    let mut rows_before = 0;
    for round in 0..12_u64 {
        let mut worker = Worker::start("the_worker_that_is_killed", &path);
        worker.wait_for("a row is written");
        // Not in step with the worker, and each time at another instruction.
        std::thread::sleep(Duration::from_millis(20 + 17 * round % 60));
        let acknowledged = worker.kill();

        let catalog = SqliteCatalog::open(&path).await.expect("a catalogue survives the death of its writer");
        let rows = consistent_rows(&catalog).await;
        assert!(
            rows.len() >= acknowledged,
            "what was acknowledged is there: {acknowledged} of {}",
            rows.len()
        );
        assert!(rows.len() > rows_before, "the worker got somewhere in round {round}");
        rows_before = rows.len();
    }
    println!("{rows_before} rows in 12 lives");
}

#[tokio::test]
async fn one_of_two_processes_gets_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.sqlite");
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    catalog.start_chain(genesis()).await.unwrap();
    for number in 1..=20 {
        queue(&catalog, number).await;
    }
    let mut workers =
        Vec::from_iter((0..2).map(|_| Worker::start("the_worker_that_claims_all_it_can", &path)));
    workers.iter_mut().for_each(|worker| worker.wait_for("ready"));
    workers.iter_mut().for_each(|worker| writeln!(worker.stdin, "go").unwrap());
    let claimed: Vec<Vec<String>> = workers.into_iter().map(Worker::finish).collect();
    let mut all: Vec<&String> = claimed.iter().flatten().collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 20, "every job was claimed");
    assert_eq!(claimed[0].len() + claimed[1].len(), 20, "no job was claimed twice: {claimed:?}");
    println!("{} and {} jobs claimed", claimed[0].len(), claimed[1].len());
    for job in catalog.jobs(JobQuery::default()).await.unwrap() {
        assert_eq!((job.state, job.attempt), (JobState::Claimed, 1));
    }
    consistent_rows(&catalog).await;
}

#[tokio::test]
async fn speed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.sqlite");
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    let chain = catalog.start_chain(genesis()).await.unwrap();
    let begun = Instant::now();
    let mut rows = 1;
    while rows < 10_001 && begun.elapsed() < Duration::from_secs(5) {
        let at = after(now(0), rows);
        let fact = Fact { at, job_id: None, kind: EventKind::ScheduleMissed, payload: Object::new() };
        chain.append(fact).await.unwrap();
        rows += 1;
    }
    println!("{} durable appends: {:?}", rows - 1, begun.elapsed());
    catalog.close().await;
    let begun = Instant::now();
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    println!("open with a look at every page: {:?}", begun.elapsed());
    let chain = catalog.start_chain(genesis()).await.unwrap();
    let begun = Instant::now();
    let fact = Fact { at: now(0), job_id: None, kind: EventKind::ScheduleMissed, payload: Object::new() };
    assert_eq!(i64::try_from(chain.append(fact).await.unwrap().seq), Ok(rows + 1));
    println!("first append, which replays {rows} rows: {:?}", begun.elapsed());
}

// The processes: this test binary again, told to run one ignored test, with the catalogue's path on stdin.

#[tokio::test]
#[ignore = "a process of killed_in_the_middle_of_writing"]
async fn the_worker_that_is_killed() {
    let catalog = SqliteCatalog::open(Path::new(&line_from_stdin())).await.unwrap();
    catalog.start_chain(genesis()).await.unwrap();
    for turn in 0.. {
        let open = catalog.jobs(JobQuery::of(&subject()).unfinished().limit(1)).await.unwrap();
        let job = match open.into_iter().next() {
            Some(job) => job,
            None => {
                queue(
                    &catalog,
                    u8::try_from(catalog.jobs(JobQuery::default()).await.unwrap().len() + 1).unwrap_or(255),
                )
                .await
            }
        };
        advance(&catalog, job, turn).await.unwrap();
        let record = catalog.chain(&subject()).await.unwrap().unwrap();
        if turn == 0 {
            say("a row is written");
        }
        say(&record.audit.head().await.unwrap().seq.to_string());
    }
}

#[tokio::test]
#[ignore = "a process of one_of_two_processes_gets_the_job"]
async fn the_worker_that_claims_all_it_can() {
    let catalog = SqliteCatalog::open(Path::new(&line_from_stdin())).await.unwrap();
    let holder = format!("process {}", std::process::id());
    let jobs = catalog.jobs(JobQuery::default()).await.unwrap();
    say("ready");
    assert_eq!(line_from_stdin(), "go");
    for job in jobs {
        match catalog.claim(job.id, &holder, now(30), LEASE).await {
            Ok(job) => say(&job.id.to_string()),
            Err(error) => assert_eq!(error.code(), Code::JobHeld, "{error:?}"),
        }
    }
}

// Moves a job on, in an endless round of attempts: no life of the worker ends the job.
async fn advance(catalog: &SqliteCatalog, job: Job, turn: i64) -> Result<(), Error> {
    let at = after(now(0), turn);
    let to = match job.state {
        JobState::Queued => return catalog.claim(job.id, "worker", at, LEASE).await.map(drop),
        JobState::FailedRetryable => JobState::Queued,
        JobState::Claimed => JobState::Running,
        JobState::Running => JobState::Finalizing,
        _ => JobState::FailedRetryable,
    };
    let mut step = Step::new(job.id, to, at);
    step.lease = job.lease;
    if to == JobState::FailedRetryable {
        step.payload = failed("storage-unavailable");
    }
    catalog.step(step).await.map(drop)
}

struct Worker {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

const MARK: &str = "worker says ";

impl Worker {
    fn start(test: &str, path: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = process.stdin.take().unwrap();
        writeln!(stdin, "{}", path.display()).unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Worker { process, stdin, stdout }
    }

    fn wait_for(&mut self, word: &str) {
        let mut line = String::new();
        while !line.ends_with(&format!("{MARK}{word}\n")) {
            line.clear();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "the worker ended early");
        }
    }

    // Kills it and returns the last seq it spoke of.
    fn kill(mut self) -> usize {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).unwrap();
        let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().filter_map(|line| line.rsplit_once(MARK)?.1.parse().ok()).next_back().unwrap_or(0)
    }

    // Everything it said until it ended well.
    fn finish(mut self) -> Vec<String> {
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).unwrap();
        assert!(self.process.wait().unwrap().success(), "{said}");
        said.lines().filter_map(|line| Some(line.rsplit_once(MARK)?.1.to_owned())).collect()
    }
}

fn say(words: &str) {
    println!("{MARK}{words}");
}

fn line_from_stdin() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
