use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::sync::oneshot;
use walwarden_bindings::{Bundle, Failure, Turn};
use walwarden_core::watch::Cancel;
use walwarden_verify::Trust;

use crate::arguments::{Given, list};
use crate::job::Job;
use crate::own::Octets;

/// One check and what became of it.
#[pyclass(frozen, get_all, module = "walwarden")]
pub(crate) struct Finding {
    status: &'static str,
    code: &'static str,
    object: Option<String>,
    detail: String,
    text: String,
}

#[pymethods]
impl Finding {
    fn __repr__(&self) -> &str {
        &self.text
    }
}

/// A key of the chain.
#[pyclass(frozen, get_all, module = "walwarden")]
pub(crate) struct ChainKey {
    key_id: String,
    from_seq: u64,
    pinned: bool,
    revoked_seq: Option<u64>,
}

#[pymethods]
impl ChainKey {
    fn __repr__(&self) -> String {
        let pinned = if self.pinned { " pinned" } else { "" };
        format!("<walwarden.ChainKey: {} from row {}{pinned}>", self.key_id, self.from_seq)
    }
}

/// Everything a verification found.
#[pyclass(frozen, module = "walwarden")]
pub(crate) struct Report(walwarden_verify::Report);

#[pymethods]
impl Report {
    #[getter]
    fn exit(&self) -> u8 {
        self.0.exit().status()
    }

    #[getter]
    fn verdict(&self) -> &'static str {
        self.0.verdict()
    }

    #[getter]
    fn level(&self) -> Option<u8> {
        self.0.level.map(walwarden_verify::Level::number)
    }

    #[getter]
    fn asked(&self) -> u8 {
        self.0.asked.number()
    }

    #[getter]
    fn findings(&self) -> Vec<Finding> {
        self.0.findings.iter().map(finding).collect()
    }

    #[getter]
    fn failures(&self) -> Vec<Finding> {
        self.0.failures().map(finding).collect()
    }

    #[getter]
    fn keys(&self) -> Vec<ChainKey> {
        let key = |key: &walwarden_verify::ChainKey| ChainKey {
            key_id: key.key_id.to_string(),
            from_seq: key.from_seq,
            pinned: key.pinned,
            revoked_seq: key.revoked_seq,
        };
        self.0.keys.iter().map(key).collect()
    }

    #[getter]
    fn not_proven(&self) -> Vec<String> {
        self.0.not_proven().iter().map(|not| not.text.to_string()).collect()
    }

    #[getter]
    fn events(&self) -> u64 {
        self.0.events
    }

    #[getter]
    fn manifests(&self) -> u64 {
        self.0.manifests
    }

    #[getter]
    fn artifacts_checked(&self) -> u64 {
        self.0.artifacts_checked
    }

    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_json())
    }

    fn to_html(&self) -> String {
        self.0.to_html()
    }

    fn __str__(&self) -> String {
        format!("{}{}", self.0, self.0.verdict())
    }

    fn __repr__(&self) -> String {
        format!("<walwarden.Report: {}>", self.0.verdict())
    }
}

fn finding(finding: &walwarden_verify::Finding) -> Finding {
    Finding {
        status: finding.status.word(),
        code: finding.reason.text(),
        object: finding.object.clone(),
        detail: finding.detail.clone(),
        text: finding.to_string(),
    }
}

#[pyfunction]
#[pyo3(signature = (bundle, *, public_keys=vec![], fingerprints=vec![], witnesses=vec![], witness_policy=None, policy=None, as_of=None, since=None, authorities=vec![], level=None, now=None))]
#[allow(clippy::too_many_arguments, reason = "keywords in Python")]
pub(crate) fn verify(
    py: Python<'_>,
    bundle: Given,
    #[pyo3(from_py_with = list)] public_keys: Vec<String>,
    #[pyo3(from_py_with = list)] fingerprints: Vec<String>,
    #[pyo3(from_py_with = list)] witnesses: Vec<String>,
    witness_policy: Option<Octets>,
    policy: Option<Octets>,
    as_of: Option<String>,
    since: Option<Octets>,
    #[pyo3(from_py_with = list)] authorities: Vec<String>,
    level: Option<u8>,
    now: Option<String>,
) -> PyResult<Job> {
    let bundle = match bundle {
        Given::Bytes(bytes) => Bundle::Bytes(bytes.0.into()),
        Given::Path(path) => Bundle::File(path),
    };
    let octets = |given: Option<Octets>| given.map(|octets| octets.0.into());
    let trust = Trust {
        public_keys,
        fingerprints,
        witnesses,
        witness_policy: octets(witness_policy),
        policy: octets(policy),
        as_of,
        kept_checkpoint: octets(since),
        authorities,
        level,
    };
    let (cancel, turn) = (Cancel::default(), Turn::default());
    let (told, mut verified) = oneshot::channel();
    // Where nobody waits any more, nobody is told.
    walwarden_bindings::verify_in_turn(bundle, trust, now, &turn, move |verified| drop(told.send(verified)));
    let cancelled = cancel.clone();
    let work = async move {
        let ended = tokio::select! {
            ended = &mut verified => ended,
            () = cancelled.cancelled() => {
                turn.cancel();
                verified.await
            }
        };
        ended.unwrap_or_else(|_| Err(Failure::defect("the verification is gone")))
    };
    Job::start(py, cancel, work, Report)
}
