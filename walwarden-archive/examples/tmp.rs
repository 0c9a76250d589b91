use walwarden_archive::*;
fn main() {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path).unwrap();
        for size in [1usize, 7, 1 << 20] {
            let mut reader = Reader::new();
            let mut toc_end = 0;
            let mut blocks = 0;
            let mut los = 0;
            let r = (|| {
                for piece in bytes.chunks(size) {
                    let mut input = piece;
                    while let Some(event) = reader.read(&mut input)? {
                        match event {
                            Event::Toc => toc_end = reader.offset(),
                            Event::BlockStart(_) => blocks += 1,
                            Event::LargeObjectStart { .. } => los += 1,
                            _ => {}
                        }
                    }
                }
                reader.finish()
            })();
            if let Err(e) = r {
                println!("{path} {size}: {e}");
                break;
            }
            let head = reader.toc().unwrap().to_bytes(reader.header().unwrap());
            let same = head == bytes[..toc_end as usize];
            if size == 1 {
                println!(
                    "{path} {} {} entries {} blocks {blocks} los {los} same {same}",
                    reader.header().unwrap().version(),
                    reader.header().unwrap().compression(),
                    reader.toc().unwrap().entries().len()
                );
            }
            assert!(same);
        }
    }
}
