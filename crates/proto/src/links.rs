//! What resources refer to, as the contract declares it: the fields of each resource that hold names, those of the
//! messages within it included.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost_reflect::MessageDescriptor;
use waymark_domain::name::NameError;
use waymark_domain::{AnyName, FullName};

use crate::{descriptors, options};

/// A field that refers to resources.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the contract by itself")]
pub struct LinkField {
    /// Its path in the resource, such as `dependencies` or `risks.evidence.target`.
    pub path: &'static str,
    /// The same path in canonical JSON, field by field, and which of them hold many.
    pub steps: &'static [(&'static str, bool)],
    /// The service that keeps what is referred to, `*` for any; empty where names are those of the same service.
    pub service: &'static str,
    /// Whether what is referred to may be deleted: the reference stays and leads nowhere.
    pub keeps: bool,
    /// Whether it may refer to what does not exist.
    pub unverified: bool,
    /// Whether following it from resource to resource never leads back.
    pub acyclic: bool,
    /// Whether callers set it; what only the service sets tells of what was.
    pub given: bool,
}

impl LinkField {
    /// What a value of the field, of a resource of `service`, refers to.
    pub fn target(&self, service: &str, value: &str) -> Result<FullName, NameError> {
        if self.service.is_empty() {
            let name: AnyName = value.parse()?;
            return Ok(FullName { service: service.to_owned(), name });
        }
        value.parse()
    }
}

/// The services that have a collection: more than one have `outcomes`.
pub fn holders(collection: &str) -> Vec<&'static str> {
    ["discovery", "roadmap", "metrics"].into_iter().filter(|service| table(service, collection).is_some()).collect()
}

/// The table in which a service keeps a collection: `assumption_tests` for `assumptionTests`. `None` for a collection
/// that the service does not have.
pub fn table(service: &str, collection: &str) -> Option<&'static str> {
    static TABLES: LazyLock<BTreeMap<(String, String), String>> = LazyLock::new(|| {
        let named = |message: MessageDescriptor| {
            let collection = options().resource(&message)?.collection;
            let service = message.package_name().strip_prefix("waymark.")?.strip_suffix(".v1")?.to_owned();
            let table = match collection.as_str() {
                // The table that is called so has the revisions of workspaces, in every service.
                "workspaces" => "workspace_resources".to_owned(),
                collection => snake(collection),
            };
            Some(((service, collection), table))
        };
        descriptors().all_messages().filter_map(named).collect()
    });
    TABLES.get(&(service.to_owned(), collection.to_owned())).map(String::as_str)
}

fn snake(camel: &str) -> String {
    let mut text = String::with_capacity(camel.len() + 2);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResourceMessage as _;
    use crate::common::v1::Evidence;
    use crate::metrics::v1 as metrics;
    use crate::roadmap::v1 as pb;

    #[test]
    fn what_a_resource_refers_to_is_found_wherever_it_stands() {
        let evidence = |id: &str| Evidence {
            target: format!("//discovery.waymark.dev/workspaces/w/insights/{id}"),
            note: String::new(),
        };
        let initiative = pb::Initiative {
            product: "workspaces/w/products/p".into(),
            dependencies: vec!["workspaces/w/initiatives/a".into(), "workspaces/w/initiatives/b".into()],
            evidence: vec![evidence("i")],
            risks: vec![pb::RiskAssessment { evidence: vec![evidence("j")], ..Default::default() }],
            ..Default::default()
        };
        let mut found = Vec::new();
        initiative.links(&mut |field, value| {
            let target = field.target("roadmap", value).unwrap();
            found.push(format!("{} {}/{}", field.path, target.service, target.name.id));
        });
        let expected = [
            "product roadmap/p",
            "evidence.target discovery/i",
            "risks.evidence.target discovery/j",
            "dependencies roadmap/a",
            "dependencies roadmap/b",
        ];
        assert_eq!(found, expected);
        assert!(metrics::Metric::LINKS.is_empty());
        let of_risks = pb::Initiative::LINKS.iter().find(|link| link.path == "risks.evidence.target").unwrap();
        assert_eq!(of_risks.steps, [("risks", true), ("evidence", true), ("target", false)]);
    }

    #[test]
    fn collections_have_tables() {
        assert_eq!(table("discovery", "assumptionTests"), Some("assumption_tests"));
        assert_eq!(table("discovery", "secrets"), None);
        assert_eq!(table("roadmap", "workspaces"), Some("workspace_resources"));
        assert_eq!(table("roadmap", "insights"), None, "another service has them");
        assert_eq!((holders("insights"), holders("outcomes").len()), (vec!["discovery"], 2));
    }
}
