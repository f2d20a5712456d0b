//! Predicates of SLSA: the verification summary, which git-pack makes, and the provenance, which a builder gives.

use serde_json::{Map, Value, json};

use crate::format::digest::Digest;
use crate::format::timestamp::Timestamp;

/// The predicate type of a verification summary.
pub const VERIFICATION_SUMMARY: &str = "https://slsa.dev/verification_summary/v1";

/// What the predicate types of verification summaries of any version begin with.
pub const ANY_SUMMARY: &str = "https://slsa.dev/verification_summary/";

/// The result of a verification summary about something that is sound.
pub const PASSED: &str = "PASSED";

/// The predicate type of a provenance.
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// The version of the specification in which a verification summary may leave out its time, and names its tools.
const SLSA_VERSION: &str = "1.1";

/// What a verification summary calls the verifier. Whoever signs it is told by the key.
const VERIFIER: &str = "urn:gitpack:verify";

/// What a verification summary calls the policy: the registry of protected files in the pack, by its hash.
const POLICY: &str = "urn:gitpack:registry";

/// Returns whether a value has the type that a field needs.
type IsRight = fn(&Value) -> bool;

/// Fields that a provenance must have, and the type of each.
const PROVENANCE_FIELDS: [(&str, IsRight); 3] = [
    ("/buildDefinition/buildType", is_text),
    ("/buildDefinition/externalParameters", Value::is_object),
    ("/runDetails/builder/id", is_text),
];

/// Returns the predicate that says that a pack verified under a policy. It makes no statement about a level of SLSA,
/// and it has a time only if one is given, so that the same pack gives the same bytes.
pub fn verification_summary(
    pack_id: &Digest,
    registry: Option<&Digest>,
    time: Option<Timestamp>,
) -> Map<String, Value> {
    let mut policy = json!({ "uri": POLICY });
    if let Some(registry) = registry {
        policy["digest"] = json!({ "sha256": registry.hex() });
    }
    let mut summary = Map::new();
    let mut says = |field: &str, value: Value| summary.insert(field.into(), value);
    says(
        "verifier",
        json!({ "id": VERIFIER, "version": { "git-pack": env!("CARGO_PKG_VERSION") } }),
    );
    says("resourceUri", json!(format!("urn:gitpack:pack:{pack_id}")));
    says("policy", policy);
    says("verificationResult", json!(PASSED));
    says("verifiedLevels", json!(["SLSA_BUILD_LEVEL_UNEVALUATED"]));
    says("slsaVersion", json!(SLSA_VERSION));
    if let Some(time) = time {
        says("timeVerified", json!(time.to_string()));
    }
    summary
}

/// Returns the first field that a provenance lacks, if there is one.
pub fn lacking(provenance: &Map<String, Value>) -> Option<&'static str> {
    let provenance = Value::Object(provenance.clone());
    let lacks = |(field, is_right): &(&str, IsRight)| !provenance.pointer(field).is_some_and(is_right);
    PROVENANCE_FIELDS.into_iter().find(lacks).map(|(field, _)| field)
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_a_time_only_if_one_is_given() {
        let (id, registry) = (Digest::of(b"pack"), Digest::of(b"registry"));
        let summary = Value::Object(verification_summary(&id, Some(&registry), None));
        assert_eq!(summary["timeVerified"], Value::Null);
        assert_eq!(summary["policy"]["digest"]["sha256"], registry.hex());
        assert_eq!(summary["resourceUri"], format!("urn:gitpack:pack:sha256:{}", id.hex()));
        let summary = Value::Object(verification_summary(&id, None, Timestamp::from_seconds(0)));
        assert_eq!(summary["timeVerified"], "1970-01-01T00:00:00Z");
        assert_eq!(summary["policy"].get("digest"), None);
    }

    #[test]
    fn a_provenance_has_its_builder_and_its_build() {
        let whole = json!({
            "buildDefinition": { "buildType": "t", "externalParameters": {} },
            "runDetails": { "builder": { "id": "b" } },
        });
        assert_eq!(lacking(whole.as_object().unwrap()), None);
        for (field, _) in PROVENANCE_FIELDS {
            for wrong in [Value::Null, json!(1), json!(""), json!([])] {
                let mut less = whole.clone();
                *less.pointer_mut(field).unwrap() = wrong;
                assert_eq!(lacking(less.as_object().unwrap()), Some(field));
            }
        }
        assert_eq!(lacking(&Map::new()), Some(PROVENANCE_FIELDS[0].0));
    }
}
