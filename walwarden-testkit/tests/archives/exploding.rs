use std::fs::{self, File};
use std::io::{BufWriter, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use walwarden_archive::codec::{Decoder, Limits};
use walwarden_archive::{Compression, Exploder, index};
use walwarden_testkit::postgres::MAJORS;

use crate::restored::restore_and_compare;
use crate::rows::by_index;
use crate::source::{Dump, Into, client, database, dump, fresh_path, has_modern_codecs, run};

fn explode(dump: &Dump) -> std::path::PathBuf {
    let folder = fresh_path("exploded");
    fs::create_dir(&folder).unwrap();
    let mut exploder = Exploder::new(|name: &str| File::create_new(folder.join(name)).map(BufWriter::new));
    dump.bytes().chunks(7919).for_each(|piece| exploder.update(piece).unwrap());
    exploder.finish().map(drop).unwrap();
    folder
}

fn content(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let mut content = Vec::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => GzDecoder::new(&bytes[..]).read_to_end(&mut content).map(|_| content).unwrap(),
        // What is empty pg_dump leaves empty, without so much as a frame; and its LZ4 frames for folders are others than
        // those for archives.
        Some(suffix @ ("lz4" | "zst")) => {
            let codec = if suffix == "lz4" { Compression::Lz4 } else { Compression::Zstd };
            let mut decoder = Decoder::new(codec, Limits::default()).unwrap();
            let mut take = |raw: &[u8]| {
                content.extend_from_slice(raw);
                Ok(())
            };
            decoder.decode(&bytes, &mut take).unwrap();
            assert!(bytes.is_empty() || decoder.finish().is_ok());
            content
        }
        _ if path.ends_with("toc.dat") => without_time(bytes),
        _ => bytes,
    }
}

fn without_time(mut toc: Vec<u8>) -> Vec<u8> {
    let start = if toc[6] >= 15 { 12 } else { 16 };
    toc[start..start + 35].fill(0);
    toc
}

#[test]
fn the_files_are_those_that_pg_dump_writes() {
    for major in MAJORS {
        for args in [&["--compress=0"][..], &[], &["--compress=zstd"], &["--compress=lz4"]] {
            if args.iter().any(|arg| arg.ends_with("zstd") || arg.ends_with("lz4"))
                && !has_modern_codecs(major)
            {
                continue;
            }
            let exploded = explode(&dump(major, args, Into::Pipe));
            let (server, name) = database(major);
            let expected = fresh_path("directory");
            let mut command = client(server, "pg_dump");
            command.arg("--format=directory").args(args).arg("--file").arg(&expected);
            run(command.arg("--dbname").arg(server.socket_dsn(name)));

            let names = |folder: &Path| {
                let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
                names.collect::<std::collections::BTreeSet<_>>()
            };
            assert_eq!(names(&exploded), names(&expected), "{major} {args:?}");
            for name in names(&expected) {
                let same = content(&exploded.join(&name)) == content(&expected.join(&name));
                assert!(same, "{major} {args:?} {name:?}");
            }
        }
    }
}

// The files of every codec and major are compared above: here one codec a major is enough.
#[test]
fn an_exploded_archive_restores_in_parallel() {
    for (major, codec) in MAJORS.into_iter().zip(["gzip", "none", "zstd", "lz4", "zstd"]) {
        let args: &[&str] = match codec {
            "none" => &["--compress=0"],
            "zstd" if has_modern_codecs(major) => &["--compress=zstd"],
            "lz4" if has_modern_codecs(major) => &["--compress=lz4"],
            _ => &[],
        };
        let archive = dump(major, args, Into::Pipe);
        let tables = by_index(&index(&archive.bytes()[..]).unwrap());
        restore_and_compare(major, &explode(&archive), &tables);
    }
}
