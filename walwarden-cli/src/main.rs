//! temporary
#![allow(dead_code, unused_imports)]
mod arguments; mod environment; mod exit; mod home; mod output; mod settings; mod verification;
use clap::Parser as _;
fn main() { let a = arguments::Arguments::parse(); println!("{a:?}"); }
