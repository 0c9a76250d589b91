//! The demo, from end to end.

use walwarden_testkit::postgres::bin_dir;

use crate::scene::Scene;

#[test]
fn the_demo_goes_as_expected_and_leaves_what_it_promised() {
    let scene = Scene::empty();
    let (bin, kept) = (bin_dir(17), scene.text("kept"));
    let arguments = ["demo", "--bin-dir", bin.to_str().unwrap(), "--keep", &kept, "--orders", "500"];
    let ended = scene.run(&arguments).succeeds();
    assert!(ended.stdout.contains("refused: "), "{}", ended.stdout);
    assert!(ended.stdout.contains("checks went as expected"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("FAIL") && !ended.stdout.contains("SKIP"), "{}", ended.stdout);
    assert!(!scene.path("home").exists(), "the demo leaves the home folder alone");

    let home = scene.text("kept/home");
    let status = scene.run(&["--home", &home, "status"]).succeeds();
    assert!(status.stdout.contains("you would lose at most"), "{}", status.stdout);
    let (bundle, key) = (scene.text("kept/shop.evidence.tgz"), scene.text("kept/public-key.pem"));
    crate::scene::verifier(&["--bundle", &bundle, "--pubkey", &key]).exits(0);
    assert_eq!(scene.run(&arguments).status, Some(2), "an existing folder is not used");
}

#[test]
fn without_server_programs_the_demo_says_what_to_install() {
    let scene = Scene::empty();
    let ended = scene.run(&["demo", "--bin-dir", &scene.text("none")]).fails(2, "client-missing");
    assert!(ended.stderr.contains("initdb"), "{}", ended.stderr);
}

#[test]
fn a_check_that_cannot_be_made_is_counted_as_such() {
    let scene = Scene::empty();
    let tools = scene.path("tools");
    std::fs::create_dir(&tools).unwrap();
    // Only what the demo cannot do without: no jq, no openssl.
    for tool in ["sh", "id", "sha256sum", "cut", "base64"] {
        let from = ["/usr/bin", "/bin"]
            .iter()
            .map(|dir| std::path::Path::new(dir).join(tool))
            .find(|path| path.exists());
        std::os::unix::fs::symlink(from.unwrap(), tools.join(tool)).unwrap();
    }
    let bin = bin_dir(17);
    let arguments = ["demo", "--bin-dir", bin.to_str().unwrap(), "--orders", "500"];
    let output = scene.walwarden(&arguments).env("PATH", &tools).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    assert!(stdout.contains("SKIP: ") && stdout.contains("jq is not installed"), "{stdout}");
    assert!(stdout.contains("could not be made"), "{stdout}");
}
