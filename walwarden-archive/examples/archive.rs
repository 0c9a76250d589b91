//! What can be done with an archive of `pg_dump`, from the command line:
//!
//! ```text
//! cargo run --release --example archive -- list      shop.dump
//! cargo run --release --example archive -- index     shop.dump > index.json
//! cargo run --release --example archive -- verify    shop.dump index.json
//! cargo run --release --example archive -- select    shop.dump public.orders > orders-without-rows.dump
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
use walwarden_archive::{
    DataEntries, Exploder, Selection, Transcoder, index, patch_offsets, read_toc, transcode, verify,
};
use walwarden_verify::index::Index;

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
        ["verify", archive, index] => {
            let differences = verify(File::open(archive)?, &Index::parse(&fs::read(index)?)?)?;
            differences.iter().for_each(|difference| println!("{difference}"));
            if differences.is_empty() { Ok(()) } else { Err("the archive is not the one in the index".into()) }
        }
        ["select", archive, table] => {
            let (schema, name) = table.split_once('.').ok_or("name the table as schema.table")?;
            let (header, toc) = read_toc(File::open(archive)?)?;
            let selection = Selection::everything().with_table(Some(schema), name);
            let cut = toc.select(&selection).without_data(DataEntries::Remove);
            Ok(std::io::stdout().write_all(&cut.to_bytes(&header))?)
        }
        ["transcode", archive, codec] => {
            let transcoder = Transcoder::new(Encoding::new(codec.parse()?))?;
            transcode(File::open(archive)?, BufWriter::new(std::io::stdout()), transcoder)?;
            Ok(())
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
        _ => Err("usage: archive list|index|offsets FILE, verify FILE INDEX, select FILE SCHEMA.TABLE, transcode FILE CODEC, explode FILE FOLDER".into()),
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
