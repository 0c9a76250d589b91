//! A catalogue that cannot be used: what is wrong, what to do, and the exit status.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use walwarden_testkit::postgres::bin_dir;
use walwarden_testkit::skip::beyond_our_rights;

use crate::scene::Scene;

/// A program with the catalogue open, doing this with it; it ends with its standard input.
struct Rival(Child);

impl Rival {
    fn at(scene: &Scene, sql: &str) -> Rival {
        const PROGRAM: &str = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                               c.execute(sys.argv[2])\nprint('done', flush=True)\nsys.stdin.read()";
        let mut python = Command::new("python3");
        python.args(["-c", PROGRAM, &scene.text("home/catalog.sqlite"), sql]);
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut told).unwrap();
        assert_eq!(told, "done\n");
        Rival(child)
    }

    fn ends(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ = self.0.wait();
    }
}

/// With a catalogue; its backups would find no server, which comes after the catalogue.
fn scene() -> Scene {
    let scene = Scene::with_key().with_clients(bin_dir(17));
    scene.run(&["status"]).succeeds();
    scene
}

fn backup(scene: &Scene) -> crate::scene::Ended {
    let (dsn, to) = ("postgres://u@127.0.0.1:1/shop?connect_timeout=1", scene.destination());
    scene.run(&["backup", "run", "--dsn", dsn, "--to", &to])
}

#[test]
fn one_that_another_process_holds_can_be_tried_again() {
    let scene = scene();
    let rival = Rival::at(&scene, "BEGIN IMMEDIATE");
    let ended = backup(&scene).fails(1, "catalog-locked");
    assert!(ended.stderr.contains("Wait for the other walwarden process"), "{}", ended.stderr);
    rival.ends();
    backup(&scene).fails(1, "source-unreachable");
}

#[test]
fn one_of_a_later_version_is_left_as_it_is() {
    let scene = scene();
    Rival::at(
        &scene,
        "INSERT INTO _sqlx_migrations VALUES (99991231000000, 'to come', '2099-12-31', 1, x'00', 1)",
    )
    .ends();
    for arguments in [&["status"][..], &["backup", "list"]] {
        let ended = scene.run(arguments).fails(2, "catalog-newer");
        assert!(ended.stderr.contains("Upgrade walwarden"), "{}", ended.stderr);
    }
    backup(&scene).fails(2, "catalog-newer");
}

#[test]
fn one_that_cannot_be_written_to_names_the_permission() {
    let scene = scene();
    let home = scene.path("home");
    // Root may write everywhere but on a disk that is mounted to be read.
    let bind = |options: &[&str]| {
        Command::new("mount").args(options).arg(&home).status().is_ok_and(|ended| ended.success())
    };
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let locked = match is_root {
        true => bind(&["--bind", &scene.text("home")]) && bind(&["-o", "remount,bind,ro"]),
        false => {
            fs::set_permissions(scene.path("home/catalog.sqlite"), fs::Permissions::from_mode(0o400))
                .unwrap();
            fs::set_permissions(&home, fs::Permissions::from_mode(0o500)).unwrap();
            true
        }
    };
    let ended = locked.then(|| scene.run(&["status"]));
    match is_root {
        true => drop(Command::new("umount").arg(&home).status()),
        false => fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap(),
    }
    let Some(ended) = ended else {
        return beyond_our_rights("a read-only catalogue: no right to mount a folder to be read");
    };
    let ended = ended.fails(2, "catalog-read-only");
    assert!(ended.stderr.contains("Make the catalogue file and its folder writable"), "{}", ended.stderr);
}
