//! Chains and catalogues keep their contracts, in memory and in SQLite.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use tempfile::TempDir;
use walwarden_core::catalog::{Catalog, MemoryCatalog, SqliteCatalog};
use walwarden_core::chain::{AuditChain, MemoryChain};
use walwarden_testkit::{catalog, chain};

#[tokio::test(flavor = "multi_thread")]
async fn memory_chain() {
    chain::suite(async |genesis| Arc::new(MemoryChain::start(&genesis).unwrap()) as Arc<dyn AuditChain>)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_catalog() {
    catalog::suite(async || Arc::new(MemoryCatalog::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chain_of_a_memory_catalog() {
    chain::suite(async |genesis| MemoryCatalog::new().start_chain(genesis).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_catalog() {
    let folder = tempfile::tempdir().unwrap();
    catalog::suite(async || Arc::new(fresh(&folder).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chain_of_a_sqlite_catalog() {
    let folder = tempfile::tempdir().unwrap();
    chain::suite(async |genesis| fresh(&folder).await.start_chain(genesis).await.unwrap()).await;
}

async fn fresh(folder: &TempDir) -> SqliteCatalog {
    let own = tempfile::tempdir_in(folder).unwrap().keep();
    SqliteCatalog::open(&own.join("catalogue.sqlite")).await.unwrap()
}
