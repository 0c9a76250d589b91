use walwarden_archive::*;
fn main() {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path).unwrap();
            let mut reader = Reader::new();
            let mut input = &bytes[..]; let mut n = 0; let mut lo = None;
                while let Some(event) = reader.read(&mut input).unwrap() {
                    match event { Event::LargeObjectStart{oid} => {lo = Some(oid); n = 0} , Event::Data(d) => n += d.len(), Event::LargeObjectEnd => print!("{path} lo {} stored {n}; ", lo.unwrap()),  _ => {} }
                }
                println!();
        let mut ix = Indexer::new();
        if let Err(e) = ix.update(&bytes) { println!("{path} {e}"); continue; }
        match ix.finish() { Err(e) => println!("{path} {e}"), Ok(c) => if path.contains("none") { for e in c.entries.iter().filter(|e| e.data.is_some()) {
            let d = e.data.as_ref().unwrap();
            println!("  {} {} raw {} rows {:?}", e.name, e.desc, d.raw_bytes, d.rows.map(|r| (r.count, r.digest)));
        } } }
    }
}
