//! `walwarden completions` and `walwarden man`: both are made from the arguments themselves.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::json;
use walwarden_core::{Code, Error};

use crate::arguments::Arguments;
use crate::exit::{DONE, Ending};
use crate::output::Output;

pub(crate) fn completions(shell: Shell) -> Ending {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "walwarden", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(DONE)
}

pub(crate) fn manual(folder: Option<&Path>, output: Output) -> Ending {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        Man::new(Arguments::command()).render(&mut page)?;
        io::stdout().lock().write_all(&page)?;
        return Ok(DONE);
    };
    let written = write_pages(folder).map_err(|error| {
        Error::new(Code::FileFailed, format!("manual cannot be written path={}", folder.display()))
            .with_source(error)
    })?;
    let data = json!({ "folder": folder, "pages": written });
    output.result(format_args!("wrote {} pages into {}", written.len(), folder.display()), &data)?;
    Ok(DONE)
}

fn write_pages(folder: &Path) -> io::Result<Vec<String>> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)?;
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("walwarden") && name.ends_with(".1") {
            pages.push(name);
        }
    }
    pages.sort_unstable();
    Ok(pages)
}
