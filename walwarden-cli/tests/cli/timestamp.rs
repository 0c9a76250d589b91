//! A checkpoint is stamped by an authority (here OpenSSL), and the auditor demands that.

use std::fs;
use std::process::Command;

use crate::scene::{Scene, verifier};
use crate::shop::Shop;

/// Runs the commands as a user would type them, in the scene's folder.
fn shell(scene: &Scene, script: &str) {
    let output = Command::new("sh").current_dir(scene.path("")).args(["-euc", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const AUTHORITY: &str = "
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out tsa.key
openssl req -new -key tsa.key -subj /CN=Stamps -out tsa.csr
printf 'extendedKeyUsage=critical,timeStamping\\nbasicConstraints=CA:FALSE' > tsa.ext
openssl x509 -req -in tsa.csr -key tsa.key -extfile tsa.ext -days 9 -out tsa.pem
printf '[tsa]\\nserial=serial\\ndigests=sha256\\nsigner_digest=sha256\\ndefault_policy=1.2.3\\ness_cert_id_alg=sha256\\n' > tsa.cnf
";

/// As docs/timestamps.md has them.
const CHECKPOINT: &str = "sed '1,/^$/d' shop.request > shop.checkpoint";
const QUERY: &str =
    "head -n 3 shop.checkpoint | openssl ts -query -data /dev/stdin -sha256 -cert -out query.tsq";
const REPLY: &str = "openssl ts -reply -queryfile query.tsq -config tsa.cnf -section tsa -signer tsa.pem -inkey tsa.key -out checkpoint.tsr";

#[tokio::test(flavor = "multi_thread")]
async fn a_stamped_checkpoint_is_demanded_and_found() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    let public = scene.text("public.pem");
    fs::write(&public, scene.run(&["key", "show", "--pem"]).succeeds().stdout).unwrap();
    let (request, checkpoint) = (scene.text("shop.request"), scene.text("shop.checkpoint"));
    let ask = ["evidence", "checkpoint", "--database", "shop"];
    let note = scene.json(&ask)["note"].as_str().unwrap().to_owned();
    for since in [&["--since", "3"][..], &[]] {
        fs::write(&request, scene.run(&[&ask[..], since].concat()).succeeds().stdout).unwrap();
        shell(&scene, CHECKPOINT);
        assert_eq!(fs::read_to_string(&checkpoint).unwrap(), note, "{since:?}");
    }
    shell(&scene, AUTHORITY);
    shell(&scene, QUERY);
    shell(&scene, REPLY);
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/timestamps.md")).unwrap();
    for command in [CHECKPOINT, QUERY] {
        assert!(page.contains(command), "the page and this test run the same command");
    }

    let (reply, authority) = (scene.text("checkpoint.tsr"), scene.text("tsa.pem"));
    let (bundle, plain) = (scene.text("stamped.tgz"), scene.text("plain.tgz"));
    let export = ["evidence", "export", "--database", "shop", "--checkpoint", &checkpoint];
    scene.run(&[&export[..], &["--out", &bundle, "--timestamp", &reply]].concat()).succeeds();
    scene.run(&[&export[..], &["--out", &plain]].concat()).succeeds();
    let verify = |bundle: &str| verifier(&["--bundle", bundle, "--pubkey", &public, "--tsa-ca", &authority]);
    assert!(verify(&bundle).succeeds().stdout.contains("OK: checkpoint stamped at 20"));
    assert!(verify(&plain).exits(4).stdout.contains("[timestamp-authority]"));
    verifier(&["--bundle", &bundle, "--pubkey", &public]).succeeds();
    verifier(&["--bundle", &bundle, "--pubkey", &public, "--tsa-ca", &public]).exits(2);
    let other = scene.text("x.tgz");
    scene
        .run(&[&export[..], &["--out", &other, "--timestamp", &public]].concat())
        .fails(2, "checkpoint-invalid");
}
