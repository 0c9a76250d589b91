use std::sync::Arc;

use walwarden_core::Code;
use walwarden_core::catalog::{Catalog, CatalogExt, Genesis};
use walwarden_core::chain::Subject;
use walwarden_core::verify::ChainId;

use super::queue;
use crate::chain::{assert_code, genesis, subject, verified_rows};

pub(super) async fn a_subject_has_one_chain(catalog: Arc<dyn Catalog>) {
    assert!(catalog.chain(&subject()).await.expect("a catalogue answers").is_none());
    let starts: Vec<_> = (1..=4)
        .map(|number| {
            let catalog = Arc::clone(&catalog);
            let chain_id = ChainId::from_parts(1, [number; 10]);
            tokio::spawn(async move { catalog.start_chain(Genesis { chain_id, ..genesis() }).await })
        })
        .collect();
    let mut ids = Vec::new();
    for start in starts {
        let chain =
            start.await.expect("a start ends").expect("a chain is started, or the one there returned");
        assert_eq!(verified_rows(&*chain).await.len(), 1);
        ids.push(chain.chain_id());
    }
    let record = catalog.chain(&subject()).await.expect("a catalogue answers").expect("a chain");
    assert_eq!(ids, [record.chain_id; 4], "a subject has one chain, whoever starts it");
    let subjects = catalog.subjects().await.expect("a catalogue answers");
    assert_eq!(subjects, [subject()], "a chain without a job is told of, too");
    assert_eq!((record.mirrored_through, record.checkpoint), (0, None), "nothing of it was published yet");

    let organisation = Subject { database_id: None, ..subject() };
    let start =
        Genesis { subject: organisation.clone(), chain_id: ChainId::from_parts(2, [9; 10]), ..genesis() };
    let chain = catalog.start_chain(start).await.expect("the organisation has a chain of its own");
    assert_eq!(chain.chain_id(), ChainId::from_parts(2, [9; 10]));
    let record = catalog.chain(&organisation).await.expect("a catalogue answers").expect("a chain");
    assert_eq!((record.chain_id, record.subject), (chain.chain_id(), organisation));
}

pub(super) async fn publication_is_remembered(catalog: &dyn Catalog) {
    queue(catalog, 1).await;
    queue(catalog, 2).await;
    let published = async || {
        let record = catalog.chain(&subject()).await.expect("a catalogue answers").expect("a chain");
        (record.mirrored_through, record.checkpoint)
    };
    catalog.mirrored(&subject(), 2).await.expect("rows were mirrored");
    catalog.mirrored(&subject(), 1).await.expect("an older number is no error");
    catalog.checkpoint(&subject(), 2, "note over 2\n".to_owned()).await.expect("a checkpoint was published");
    catalog.checkpoint(&subject(), 1, "note over 1\n".to_owned()).await.expect("an older one is no error");
    assert_eq!(published().await, (2, Some((2, "note over 2\n".to_owned()))), "the newest is remembered");
    catalog.checkpoint(&subject(), 2, "witnessed\n".to_owned()).await.expect("witnesses may be added");
    assert_eq!(published().await.1, Some((2, "witnessed\n".to_owned())));

    let refused = catalog.mirrored(&subject(), 4).await;
    assert_code(refused, Code::ChainDamaged, "rows that do not exist were not mirrored");
    let refused = catalog.checkpoint(&subject(), 4, String::new()).await;
    assert_code(refused, Code::ChainDamaged, "rows that do not exist have no checkpoint");
    let nowhere = Subject { database_id: None, ..subject() };
    let refused = catalog.mirrored(&nowhere, 1).await;
    assert_code(refused, Code::DatabaseUnknown, "only a chain is mirrored");
    assert_eq!(published().await.0, 2);
}
