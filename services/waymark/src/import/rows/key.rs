//! Ids of resources by the key that another system knows them by: the same key is the same resource in every import,
//! and what refers to it by that key finds it, wherever it stands.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};
use sha2::{Digest as _, Sha256};
use waymark_domain::ResourceId;
use waymark_proto::options;
use waymark_proto::options::Reference;

use crate::generic::names::{expand, short};

/// Characters of an id, a DNS label.
const MOST: usize = 63;
/// Bytes of a digest that keep two keys apart whose letters and digits are the same.
const DIGEST: usize = 5;

/// How keys become ids.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// What ids begin with, so that the keys of two systems are two.
    pub prefix: String,
    /// The workspace that is imported into.
    pub workspace: String,
}

impl Keys {
    /// The id of a key: the key where it can be one but for capitals, else its letters and digits with a digest of it.
    pub fn id(&self, key: &str) -> String {
        // What was exported has its name for a key.
        let key = if key.starts_with("workspaces/") { short(key) } else { key };
        let whole = format!("{}{}", self.prefix, key.to_ascii_lowercase());
        if whole.parse::<ResourceId>().is_ok() {
            return whole;
        }
        let digest = Sha256::digest(key.as_bytes());
        let digest = digest.iter().take(DIGEST).fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
        let room = MOST - digest.len() - 1;
        let mut words = String::new();
        for letter in whole.chars() {
            match letter {
                'a'..='z' | '0'..='9' if words.len() < room => words.push(letter),
                _ if words.is_empty() || words.ends_with('-') => {}
                _ if words.len() < room => words.push('-'),
                _ => break,
            }
        }
        match words.trim_end_matches('-') {
            "" => digest,
            words => format!("{words}-{digest}"),
        }
    }

    /// Completes what the fields of a message refer to, those of messages within it included.
    pub fn complete(&self, message: &mut DynamicMessage) {
        let fields: Vec<FieldDescriptor> = message.fields().map(|(field, _)| field).collect();
        for field in fields {
            let reference = options().reference(&field);
            let value = message.get_field_mut(&field);
            match (reference, value) {
                (Some(reference), Value::String(text)) => *text = self.name(text, &reference),
                (Some(reference), Value::List(items)) if matches!(field.kind(), Kind::String) => {
                    for item in items {
                        if let Value::String(text) = item {
                            *text = self.name(text, &reference);
                        }
                    }
                }
                (_, Value::Message(inner)) if inner.descriptor().package_name() != "google.protobuf" => {
                    self.complete(inner);
                }
                (_, Value::List(items)) => items.iter_mut().filter_map(Value::as_message_mut).for_each(|inner| {
                    self.complete(inner);
                }),
                _ => {}
            }
        }
    }

    /// The name that a text stands for: a name, which becomes one of the workspace, `collection/id`, or a key.
    fn name(&self, text: &str, reference: &Reference) -> String {
        let Reference { collections, service, .. } = reference;
        if let Some((host, rest)) =
            text.split_once("workspaces/").filter(|(host, _)| host.is_empty() || host.starts_with("//"))
        {
            let within = rest.split_once('/').map_or("", |(_, within)| within);
            return format!("{host}workspaces/{}/{within}", self.workspace);
        }
        let is_name = |(collection, id): (&str, &str)| {
            (collections.is_empty() || collections.iter().any(|known| known == collection))
                && id.parse::<ResourceId>().is_ok()
        };
        if text.is_empty() || text.split_once('/').is_some_and(is_name) {
            return expand(text, reference, &self.workspace);
        }
        let id = if service.is_empty() { self.id(text) } else { Self::default().id(text) };
        match collections.as_slice() {
            [_] => expand(&id, reference, &self.workspace),
            _ => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_id_where_it_can_be_and_else_told_apart_by_a_digest() {
        let keys = Keys { prefix: String::new(), workspace: "acme".to_owned() };
        assert_eq!((keys.id("sso"), keys.id("PROJ-12")), ("sso".to_owned(), "proj-12".to_owned()));
        assert_eq!(keys.id("workspaces/old/initiatives/sso"), "sso");
        let [one, other] = ["Web / App", "Web & App"].map(|key| keys.id(key));
        assert!(one.starts_with("web-app-") && other.starts_with("web-app-") && one != other, "{one} {other}");
        for key in ["ü", "-", "日本", &"long ".repeat(50), "a_b", " x"] {
            assert!(keys.id(key).parse::<ResourceId>().is_ok(), "{key}: {}", keys.id(key));
        }
        let jira = Keys { prefix: "jira-".to_owned(), ..keys };
        assert_eq!(jira.id("PROJ-12"), "jira-proj-12");
        assert!(jira.id(&"p".repeat(63)).parse::<ResourceId>().is_ok());
    }

    #[test]
    fn what_is_referred_to_is_a_name_or_a_key() {
        let keys = Keys { prefix: "jira-".to_owned(), workspace: "acme".to_owned() };
        let products = Reference::local("products");
        for (text, name) in [
            ("APP-1", "workspaces/acme/products/jira-app-1"),
            ("products/app", "workspaces/acme/products/app"),
            ("workspaces/old/products/app", "workspaces/acme/products/app"),
            ("", ""),
        ] {
            assert_eq!(keys.name(text, &products), name, "{text}");
        }
        assert!(keys.name("Web / App", &products).starts_with("workspaces/acme/products/jira-web-app-"));
        let metric = Reference { service: "metrics".to_owned(), ..Reference::local("metrics") };
        assert_eq!(keys.name("orders", &metric), "//metrics.waymark.dev/workspaces/acme/metrics/orders");
        let old = "//metrics.waymark.dev/workspaces/old/metrics/orders";
        assert_eq!(keys.name(old, &metric), "//metrics.waymark.dev/workspaces/acme/metrics/orders");
    }
}
