//! A Postgres server for tests in other languages: `throwaway-postgres 17` starts one and prints a line of JSON that says how to
//! reach it; it is gone when standard input ends.
#![allow(clippy::print_stdout, reason = "the line is the result")]

use std::io::{self, Read as _};

use walwarden_testkit::postgres::{PASSWORD, Postgres, USER, bin_dir};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let major = std::env::args().nth(1).ok_or("usage: throwaway-postgres MAJOR")?.parse()?;
    let server = Postgres::start(major);
    println!(
        r#"{{"host":"127.0.0.1","port":{},"user":"{USER}","password":"{PASSWORD}","binDir":"{}"}}"#,
        server.port(),
        bin_dir(major).display(),
    );
    io::stdin().read_to_end(&mut Vec::new())?;
    server.stop();
    Ok(())
}
