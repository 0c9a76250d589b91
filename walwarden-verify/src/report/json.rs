use super::{ChainKey, Finding, NotProven, Report, Status, text};
use crate::canonical;
use crate::checkpoint::Cosignature;
use crate::json::{Object, Value};
use crate::reason::Reason;

impl Report {
    /// The report as one JSON object in canonical form, as `spec/report.schema.json` describes it.
    pub fn to_json(&self) -> Vec<u8> {
        let list = |values: Vec<Value>| Value::Array(values);
        canonical::to_vec(&Value::Object(Object::from([
            ("type", Value::from("walwarden.verification-report")),
            ("formatVersion", 1_u64.into()),
            ("exit", u32::from(self.exit().status()).into()),
            ("level", self.level.map(|level| u32::from(level.number())).into()),
            ("asked", u32::from(self.asked.number()).into()),
            ("witnessed", self.witnessed.into()),
            ("continuous", self.continuous.into()),
            ("orgId", self.org_id.as_ref().map(|id| id.as_str()).into()),
            ("databaseId", self.database_id.as_ref().map(|id| id.as_str()).into()),
            ("chainId", self.chain_id.map(|id| id.to_string()).into()),
            ("keys", list(self.keys.iter().map(key).collect())),
            ("witnesses", list(self.witnesses.iter().map(witness).collect())),
            ("stampedAt", self.stamped_at.map(|at| at.to_string()).into()),
            ("existedBy", self.existed_by.map(|at| at.to_string()).into()),
            ("latestAt", self.latest_at.map(|at| at.to_string()).into()),
            ("lastDatedAt", self.last_dated_at.map(|at| at.to_string()).into()),
            ("events", self.events.into()),
            ("rowsHidden", self.hidden.into()),
            ("backups", self.backups.into()),
            ("drillsPassed", self.drills_passed.into()),
            ("manifests", self.manifests.into()),
            ("receipts", self.receipts.into()),
            ("artifactsChecked", self.artifacts_checked.into()),
            ("checks", list(self.findings.iter().map(check).collect())),
            ("untold", list(self.untold.iter().map(untold).collect())),
            ("notProven", list(self.not_proven().iter().map(not_proven).collect())),
            ("verifiedAt", self.verified_at.map(|at| at.to_string()).into()),
            ("asOf", self.as_of.map(|at| at.to_string()).into()),
            ("bundleSha256", self.bundle_sha256.map(|digest| digest.to_string()).into()),
        ])))
    }
}

fn check(finding: &Finding) -> Value {
    Value::Object(Object::from([
        ("status", Value::from(finding.status.word())),
        ("code", finding.reason.text().into()),
        ("object", finding.object.as_ref().map(|object| text::printable(object).to_string()).into()),
        ("detail", text::printable(&finding.detail).to_string().into()),
    ]))
}

fn untold(((status, reason), count): (&(Status, Reason), &u64)) -> Value {
    Value::Object(Object::from([
        ("status", Value::from(status.word())),
        ("code", reason.text().into()),
        ("count", (*count).into()),
    ]))
}

fn key(key: &ChainKey) -> Value {
    Value::Object(Object::from([
        ("keyId", Value::from(key.key_id.to_string())),
        ("fromSeq", key.from_seq.into()),
        ("pinned", key.pinned.into()),
        ("revokedSeq", key.revoked_seq.into()),
    ]))
}

fn witness(cosignature: &Cosignature) -> Value {
    Value::Object(Object::from([
        ("name", text::printable(&cosignature.name).to_string()),
        ("at", cosignature.at.to_string()),
    ]))
}

fn not_proven(not_proven: &NotProven) -> Value {
    Value::Object(Object::from([("code", not_proven.code.to_owned()), ("text", not_proven.text.clone())]))
}
