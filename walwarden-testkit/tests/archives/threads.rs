//! What several threads compress, judged by `pg_restore`.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use walwarden_archive::codec::{Encoded, Encoders, Encoding};
use walwarden_archive::{Compression, Error, Event, Header, Measure, Measured, Reader, Toc, Writer, index};
use walwarden_testkit::postgres::{self, MAJORS};

use crate::source::{client, file_of, psql, readers, run, sql};

/// Tables on both sides of every limit of the encoders: empty, tiny, one piece, several pieces, a large frame.
const TABLES: &str = "
    CREATE TABLE large AS SELECT i AS id, md5(i::text) AS text, i % 97 AS n FROM generate_series(1, 200000) i;
    CREATE TABLE medium AS SELECT * FROM large WHERE id <= 20000;
    CREATE TABLE empty (id int);
    DO $$ BEGIN FOR i IN 1..40 LOOP
        EXECUTE format('CREATE TABLE small_%s AS SELECT * FROM large WHERE id <= %s', i, i * i * 2);
    END LOOP; END $$;
    CREATE TABLE wide AS SELECT i AS id, repeat(md5(i::text), 20000) AS text FROM generate_series(1, 12) i;";

/// What is written of an archive while its data is compressed.
enum Mark {
    Start(i32),
    End(Measured),
}

/// Copies an archive of plain data with data compressed on two threads; large objects it has none.
fn compress(archive: &[u8], encoding: Encoding) -> Result<Vec<u8>, Error> {
    let (mut reader, mut input, mut copy) = (Reader::new(), archive, Vec::new());
    let mut encoders = Encoders::new(encoding, NonZeroUsize::new(2).unwrap())?;
    while reader.read(&mut input)? != Some(Event::Toc) {}
    let header: Header = reader.header().unwrap().clone().with_compression(encoding.compression())?;
    let toc: Toc = reader.toc().unwrap().clone();
    let mut out = |bytes: &[u8]| {
        copy.extend_from_slice(bytes);
        Ok(())
    };
    let mut writer = Writer::new(header, &toc);
    writer.begin(&mut out)?;

    let mut marks: VecDeque<Mark> = VecDeque::new();
    let mut measure = None;
    loop {
        let mut ended = None;
        let mut input_data = None;
        match reader.read(&mut input)? {
            Some(Event::BlockStart(block)) => {
                marks.push_back(Mark::Start(block.dump_id));
                measure = toc.entry(block.dump_id).map(Measure::of);
            }
            Some(Event::Data(data)) => {
                measure.as_mut().unwrap().update(data)?;
                input_data = Some(data);
            }
            Some(Event::BlockEnd { .. }) => ended = Some(measure.take().unwrap().finish()?),
            Some(event) => panic!("{event:?} in an archive without large objects"),
            None => break,
        }
        if let Some(measured) = ended {
            marks.push_back(Mark::End(measured));
        }
        let mut take = |encoded: Encoded<'_>| write(encoded, &mut marks, &mut writer, &mut out);
        if let Some(data) = input_data {
            encoders.encode(data, &mut take)?;
        } else if ended.is_some() {
            encoders.end_block(&mut take)?;
        }
    }
    encoders.flush(&mut |encoded| write(encoded, &mut marks, &mut writer, &mut out))?;
    reader.finish()?;
    let contents = writer.finish()?;
    assert_eq!(index(&copy[..])?, contents, "what was written is what is read");
    Ok(copy)
}

fn write(
    encoded: Encoded<'_>,
    marks: &mut VecDeque<Mark>,
    writer: &mut Writer,
    out: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    if let Some(Mark::Start(dump_id)) = marks.front() {
        writer.start_block(*dump_id, out)?;
        marks.pop_front();
    }
    match encoded {
        Encoded::Bytes(bytes) => writer.data(bytes, out),
        Encoded::End => {
            let Some(Mark::End(measured)) = marks.pop_front() else { panic!("an end that was not sent") };
            writer.end_block(measured, out)
        }
    }
}

#[test]
fn pg_restore_reads_what_two_threads_compress() {
    for major in MAJORS {
        let server = postgres::shared(major);
        psql(server, "postgres", "CREATE DATABASE threads");
        psql(server, "threads", TABLES);
        let plain = if major < 16 { "--compress=0" } else { "--compress=none" };
        let mut pg_dump = client(server, "pg_dump");
        let archive = run(pg_dump.args(["-Fc", plain, "-d"]).arg(server.socket_dsn("threads"))).stdout;
        let original = file_of(&archive);
        let expected = sql(major, &original, &[]);
        assert!(expected.len() > 15_000_000, "PostgreSQL {major} dumped {} bytes", expected.len());
        for codec in Compression::ALL {
            let copy = match compress(&archive, Encoding::new(codec)) {
                Ok(copy) => copy,
                Err(error) if major < 16 && error.kind() == walwarden_archive::ErrorKind::Unsupported => {
                    continue;
                }
                Err(error) => panic!("{codec} of {major}: {error}"),
            };
            assert_eq!(codec == Compression::None, copy.len() > archive.len() / 4 * 3, "{codec} of {major}");
            let path = file_of(&copy);
            for reader in readers(&walwarden_archive::read_toc(&copy[..]).unwrap().0) {
                let read = sql(reader, &path, &[]);
                let expected = if reader == major { expected.clone() } else { sql(reader, &original, &[]) };
                assert!(read == expected, "{codec} of {major}, read by {reader}");
            }
            std::fs::remove_file(path).unwrap();
        }
        std::fs::remove_file(original).unwrap();
    }
}
