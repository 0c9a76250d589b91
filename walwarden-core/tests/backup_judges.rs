//! Judges that are not ours, who have nothing but the destination: stock `pg_restore`, `sha256sum`, `jq`, `openssl`.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use scene::{Home, SHOP};
use walwarden_core::backup::{BackupRunner, SealedBackup};
use walwarden_core::manifest::ManifestSigner;
use walwarden_core::source::{Dsn, TableContent, TableName, fingerprint};
use walwarden_core::watch::Unwatched;
use walwarden_testkit::postgres::{Postgres, bin_dir, shared};
use walwarden_testkit::torture::Torture;

/// Two backups, the second with roles, and the public key as the command `key show --pem` prints it.
struct Scene {
    folder: tempfile::TempDir,
    home: Home,
    source: String,
    sealed: SealedBackup,
}

impl Scene {
    async fn new(major: u32, sql: &str) -> Scene {
        let source = shared(major).fresh_database("judged").await;
        shared(major).sql(&source, sql).await;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).await;
        home.backup(&shared(major).dsn(&source)).await.unwrap();
        let mut request = home.request(&shared(major).dsn(&source)).await;
        request.globals = true;
        let sealed = home.engine.backup().run(request, &Unwatched).await.unwrap();
        std::fs::write(folder.path().join("key.pub.pem"), home.signer.public_key().to_pem()).unwrap();
        Scene { folder, home, source, sealed }
    }

    fn stored(&self, key: &str) -> PathBuf {
        self.folder.path().join("store").join(key)
    }

    fn dump(&self) -> PathBuf {
        self.stored(&self.sealed.manifest.body().artifact_key)
    }

    fn manifest(&self) -> PathBuf {
        self.dump().with_extension("manifest.json")
    }

    /// Runs a script of stock tools in the folder that holds `key.pub.pem`; what it prints.
    fn judge(&self, script: &str, arguments: &[&Path]) -> Result<String, String> {
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", script, "judge"]).args(arguments);
        let output = bash.current_dir(self.folder.path()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(format!("{} {}", text(&output.stdout), text(&output.stderr)))
        }
    }
}

async fn content(server: &Postgres, database: &str) -> BTreeMap<TableName, TableContent> {
    let dsn = Dsn::parse(&server.dsn(database)).unwrap();
    fingerprint(&mut server.connect(database).await, &dsn).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_pg_restore_lists_and_restores_the_stored_dump() {
    for major in [15, 17, 18] {
        let scene = Scene::new(major, &Torture::default().sql()).await;
        let pg_restore = bin_dir(major).join("pg_restore");
        let listed = scene.judge("\"$1\" --list \"$2\"", &[&pg_restore, &scene.dump()]).unwrap();
        assert!(listed.contains("TABLE DATA shop orders"), "{listed}");

        let copy = shared(major).fresh_database("by_stock_tools").await;
        let mut restore = Command::new(&pg_restore);
        restore.args(["--exit-on-error", "--dbname", &shared(major).socket_dsn(&copy)]).arg(scene.dump());
        let output = restore.output().unwrap();
        assert!(output.status.success(), "{major}: {}", String::from_utf8_lossy(&output.stderr));
        let source = content(shared(major), &scene.source).await;
        assert!(source.len() > 10);
        assert_eq!(source, content(shared(major), &copy).await, "{major}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sha256sum_prints_the_handle_and_the_checksums_that_the_manifest_names() {
    let scene = Scene::new(17, SHOP).await;
    let sha256sum = |file: &Path| scene.judge("sha256sum <\"$1\" | cut -d' ' -f1", &[file]).unwrap();
    assert_eq!(sha256sum(&scene.manifest()), scene.sealed.manifest_sha256.to_string());
    let field = |path: &str| scene.judge(&format!("jq -r {path} \"$1\""), &[&scene.manifest()]).unwrap();
    assert_eq!(sha256sum(&scene.dump()), field(".checksumSha256"));
    assert_eq!(scene.dump().metadata().unwrap().len().to_string(), field(".sizeBytes"));
    assert_eq!(sha256sum(&scene.stored(&field(".globals.key"))), field(".globals.checksumSha256"));
}

const VERIFY_MANIFEST: &str = r#"
jq -cjS 'del(.signature)' "$1" >body
jq -jr '.signature | sub("^ed25519:"; "")' "$1" | base64 -d >signature
openssl pkeyutl -verify -rawin -pubin -inkey key.pub.pem -in body -sigfile signature
printf 'sha256:%s' "$(openssl pkey -pubin -in key.pub.pem -outform DER | sha256sum | cut -d' ' -f1)" >id
test "$(jq -r .signer.keyId "$1")" = "$(cat id)"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn jq_and_openssl_verify_the_manifests_signature_and_refuse_a_changed_one() {
    let scene = Scene::new(17, SHOP).await;
    let said = scene.judge(VERIFY_MANIFEST, &[&scene.manifest()]).unwrap();
    assert!(said.contains("Verified Successfully"), "{said}");

    let forged = scene.folder.path().join("forged.json");
    let text = std::fs::read_to_string(scene.manifest()).unwrap();
    std::fs::write(&forged, text.replace("\"databaseId\":\"shop\"", "\"databaseId\":\"shoq\"")).unwrap();
    let said = scene.judge(VERIFY_MANIFEST, &[&forged]).unwrap_err();
    assert!(said.contains("Verification Failure"), "{said}");
}

/// Recomputes every hash from the mirrored rows and prints the last; `$1` is the chain's folder.
const REPLAY_CHAIN: &str = r#"
cat "$1"/*.jsonl >rows
previous=$(printf '0%.0s' {1..64})
seq=0
while IFS= read -r row; do
  seq=$((seq + 1))
  test "$(jq -r .seq <<<"$row")" = "$seq"
  test "$(jq -r .prevHash <<<"$row")" = "$previous"
  hash=$(printf '%s%s' "$previous" "$(jq -cjS '{at, jobId, kind, payload}' <<<"$row")" | sha256sum | cut -d' ' -f1)
  test "$(jq -r .hash <<<"$row")" = "$hash" || { echo "row $seq was changed"; exit 1; }
  previous=$hash
done <rows
echo "$previous"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn jq_and_sha256sum_recompute_the_mirrored_chain_and_find_the_manifest_in_it() {
    let scene = Scene::new(17, SHOP).await;
    let rows = scene.home.rows().await;
    let segment = scene.home.stored().into_iter().find(|name| name.ends_with(".jsonl")).unwrap();
    let chain = scene.stored(&segment).parent().unwrap().to_owned();
    let head = scene.judge(REPLAY_CHAIN, &[&chain]).unwrap();
    assert_eq!(head, rows.last().unwrap().hash.to_string());

    // The anchor that the manifest names is in the chain, and the chain names the manifest.
    let anchored = r#"
        anchor=$(jq -r '"\(.auditAnchor.seq) \(.auditAnchor.hash)"' "$1")
        test "$(jq -r --argjson seq "${anchor% *}" 'select(.seq == $seq) | .hash' rows)" = "${anchor#* }"
        jq -r 'select(.kind == "backup.completed") | .payload.manifestSha256' rows | tail -n 1"#;
    let named = scene.judge(anchored, &[&scene.manifest()]).unwrap();
    assert_eq!(named, scene.sealed.manifest_sha256.to_string());

    let copy = scene.folder.path().join("copy");
    let falsify = r#"cp -r "$1" "$2"; chmod -R u+w "$2"; sed -i 's/"attempt":1/"attempt":2/; s/"sizeBytes":/"sizeBytes":1/' "$2"/*.jsonl"#;
    scene.judge(falsify, &[&chain, &copy]).unwrap();
    let said = scene.judge(REPLAY_CHAIN, &[&copy]).unwrap_err();
    assert!(said.contains("row 6 was changed"), "{said}");
}
