//! What can be done with an archive of `pg_dump`, from the command line:
//!
//! ```text
//! cargo run --release --example archive -- list      shop.dump
//! cargo run --release --example archive -- index     shop.dump > index.json
//! cargo run --release --example archive -- transcode shop.dump zstd > smaller.dump
//! cargo run --release --example archive -- offsets   shop.dump
//! cargo run --release --example archive -- explode   shop.dump folder
//! ```
#![allow(clippy::print_stdout)] // a program

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use walwarden_archive::codec::Encoding;
use walwarden_archive::{Exploder, Transcoder, index, patch_offsets, read_toc};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["list", archive] => list(File::open(archive)?),
        ["index", archive] => {
            let job = "00000000-0000-7000-8000-000000000000".parse()?;
            let index = index(File::open(archive)?)?.into_index(job);
            Ok(std::io::stdout().write_all(&index.to_canonical())?)
        }
        ["transcode", archive, codec] => {
            let mut transcoder = Transcoder::new(Encoding::new(codec.parse()?))?;
            let mut out = BufWriter::new(std::io::stdout());
            pieces(archive, |piece| transcoder.update(piece, &mut |bytes| Ok(out.write_all(bytes)?)))?;
            transcoder.finish(&mut |bytes| Ok(out.write_all(bytes)?))?;
            Ok(out.flush()?)
        }
        ["offsets", archive] => {
            Ok(patch_offsets(&mut File::options().read(true).write(true).open(archive)?)?)
        }
        ["explode", archive, folder] => {
            fs::create_dir(folder)?;
            let mut exploder = Exploder::new(|name: &str| File::create_new(Path::new(folder).join(name)));
            pieces(archive, |piece| exploder.update(piece))?;
            exploder.finish().map(drop)?;
            Ok(())
        }
        _ => Err("usage: archive list|index|offsets FILE, transcode FILE CODEC, explode FILE FOLDER".into()),
    }
}

fn list(archive: File) -> Result<(), Box<dyn Error>> {
    let (header, toc) = read_toc(archive)?;
    println!("version {}, {}, of {}", header.version(), header.compression(), header.created());
    for entry in toc.entries() {
        let text = |text: &Option<_>| text.as_ref().map(ToString::to_string).unwrap_or_default();
        let (desc, schema, tag): (_, String, String) =
            (text(&entry.desc), text(&entry.schema), text(&entry.tag));
        println!("{:>6} {:<9} {desc} {schema} {tag}", entry.dump_id, entry.section.name());
    }
    Ok(())
}

fn pieces(
    path: &str,
    mut take: impl FnMut(&[u8]) -> Result<(), walwarden_archive::Error>,
) -> Result<(), Box<dyn Error>> {
    let mut file = File::open(path)?;
    let mut piece = vec![0; 256 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(()),
            length => take(&piece[..length])?,
        }
    }
}
