//! Transcripts of the two commands: what is typed, what is printed, how it ends.

#![allow(clippy::unwrap_used)] // a test ends where its expectation does

mod archive;
mod arguments;
mod bucket;
mod bundle;
mod catalogue;
mod database;
mod demo;
mod disclosure;
mod home;
mod interrupted;
mod journey;
mod refusals;
mod rotation;
mod scene;
mod secrets;
mod settings;
mod shop;
mod terminal;
mod timestamp;
mod unanswered;
mod witness;
