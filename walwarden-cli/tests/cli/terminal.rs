//! What a person at a terminal sees; `script` of util-linux is the terminal.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use walwarden_testkit::postgres::{USER, bin_dir};

use crate::scene::Scene;
use crate::shop::Shop;

/// `walwarden` in a terminal, which tells its settings and the exit status when the command has ended.
struct Terminal {
    script: Child,
    output: std::process::ChildStdout,
    seen: String,
}

impl Terminal {
    fn start(scene: &Scene, arguments: &[&str]) -> Self {
        let process = scene.process(arguments);
        let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_str().unwrap().replace('\'', r"'\''"));
        // The shell that becomes the command tells its id first: a shell in between could only tell that of a job in
        // the background.
        let mut line =
            format!("sh -c 'echo $$ >\"$0\"; exec \"$@\"' {}", quoted(scene.path("pid").as_os_str()));
        for word in [process.get_program()].into_iter().chain(process.get_args()) {
            line = format!("{line} {}", quoted(word));
        }
        let mut script = Command::new("script");
        script.args(["--quiet", "--command"]);
        script.arg(format!("stty cols 120; {line}; echo status=$?; stty -a")).arg("/dev/null").env_clear();
        script.envs(process.get_envs().filter_map(|(name, value)| Some((name, value?))));
        script.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = script.spawn().unwrap();
        let output = script.stdout.take().unwrap();
        Terminal { script, output, seen: String::new() }
    }

    fn until(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            let count = self.output.read(&mut buffer).unwrap();
            assert!(count > 0, "no {text:?} in:\n{}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    fn type_in(&mut self, text: &str) {
        self.script.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn ends(mut self) -> String {
        self.until("status=");
        self.until("echoke");
        self.script.wait().unwrap();
        self.seen
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_shows_bytes_and_rate_and_leaves_nothing_behind() {
    let shop = Shop::open().await;
    let bulk =
        "CREATE TABLE pages AS SELECT n, repeat(md5(n::text), 40) AS body FROM generate_series(1, 120000) n";
    shop.server.sql(&shop.name, bulk).await;
    let scene = shop.configured();
    let seen =
        Terminal::start(&scene, &["backup", "run", "--database", "shop", "--compression", "none"]).ends();
    assert!(seen.contains("status=0"), "{seen}");
    // Bytes so far and bytes a second, drawn over and over.
    let drawn = seen.split(['\r', '\n']).filter(|line| line.contains("running") && line.contains("iB/s"));
    assert!(drawn.count() >= 2, "{seen}");
    let hash =
        scene.json(&["backup", "list"])["backups"][0]["manifest"]["sha256"].as_str().unwrap().to_owned();
    let (target, name) = (shop.target(), format!("{}_copy", shop.name));
    let restore = ["restore", "--manifest", &hash, "--target", &target, "--mode", "new_database"];
    let restore: Vec<&str> = restore.into_iter().chain(["--created-database", &name]).collect();
    let seen = Terminal::start(&scene, &restore).ends();
    assert!(seen.contains("status=0") && seen.contains("restored into database"), "{seen}");
    let last = seen.split(['\r', '\n']).rfind(|line| line.contains("restored into")).unwrap();
    assert!(!last.contains("iB/s"), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_whose_connection_broke_is_not_said_to_be_tried_again() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let completed = scene.run(&["backup", "run", "--database", "shop"]).succeeds().records().pop().unwrap();
    let hash = completed["payload"]["manifestSha256"].as_str().unwrap();
    let programs = scene.path("programs");
    fs::create_dir(&programs).unwrap();
    let dump = format!("exec {} \"$@\"", bin_dir(17).join("pg_dump").display());
    let restore = "echo 'pg_restore: error: server closed the connection unexpectedly' >&2; exit 1";
    for (name, script) in [("pg_dump", dump.as_str()), ("pg_restore", restore)] {
        let path = programs.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let scene = scene.with_clients(programs);
    let arguments = ["restore", "--manifest", hash, "--target", &shop.dsn, "--mode", "in_place"];
    let arguments: Vec<&str> = arguments.into_iter().chain(["--confirm-destructive"]).collect();
    let seen = Terminal::start(&scene, &arguments).ends();
    assert!(seen.contains("status=1") && seen.contains("[target-connection-lost]"), "{seen}");
    assert!(seen.contains("failed_retryable") && !seen.contains("tried again"), "{seen}");
    assert!(seen.contains("is not known") && !seen.contains("unchanged"), "{seen}");
}

/// A terminal where a restore asks for a password.
async fn asked(shop: &Shop, scene: &Scene) -> Terminal {
    let completed = scene.run(&["backup", "run", "--database", "shop"]).succeeds().records().pop().unwrap();
    let hash = completed["payload"]["manifestSha256"].as_str().unwrap();
    let target = format!("postgresql://{USER}@127.0.0.1:{}/postgres", shop.server.port());
    let restore = ["restore", "--manifest", hash, "--target", &target, "--mode", "new_database", "--plan"];
    let mut terminal = Terminal::start(scene, &restore);
    terminal.until("Password for ");
    // The echo is turned off after the question is put.
    tokio::time::sleep(Duration::from_millis(300)).await;
    terminal
}

#[track_caller]
fn assert_stopped_with_echo(seen: &str) {
    assert!(seen.contains("status=4"), "{seen}");
    let settings = seen.split_once("status=").unwrap().1;
    assert!(settings.contains(" echo ") && settings.contains(" icanon "), "{settings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_at_the_password_prompt_it_leaves_the_terminal_as_it_was() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let mut terminal = asked(&shop, &scene).await;
    terminal.type_in("\x03");
    assert_stopped_with_echo(&terminal.ends());

    let terminal = asked(&shop, &scene).await;
    let pid = fs::read_to_string(scene.path("pid")).unwrap();
    let began = Instant::now();
    assert!(Command::new("kill").args(["-TERM", pid.trim()]).status().unwrap().success());
    assert_stopped_with_echo(&terminal.ends());
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}
