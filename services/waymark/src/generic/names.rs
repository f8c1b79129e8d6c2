//! Words in the spelling of the command line: `display_name` and `assumptionTests` are `display-name` and
//! `assumption-tests`, the enum value `PRODUCT_LIFECYCLE_GROWING` is `growing`, and a bare id stands for the full name
//! of a resource.

use prost_reflect::{EnumDescriptor, EnumValueDescriptor};
use waymark_proto::options::Reference;

/// The collection of workspaces, which are no resources of one.
pub const WORKSPACES: &str = "workspaces";

/// Kebab case of a snake, camel or Pascal case word.
pub fn kebab(word: &str) -> String {
    let mut kebab = String::with_capacity(word.len() + 4);
    for c in word.chars() {
        if c.is_ascii_uppercase() {
            if !kebab.is_empty() {
                kebab.push('-');
            }
            kebab.push(c.to_ascii_lowercase());
        } else {
            kebab.push(if c == '_' { '-' } else { c });
        }
    }
    kebab
}

/// A value's name without the prefix that all values of its enum share.
pub fn short_value<'a>(of: &EnumDescriptor, value: &'a str) -> &'a str {
    let prefix = format!("{}_", kebab(of.name()).replace('-', "_").to_ascii_uppercase());
    value.strip_prefix(&prefix).unwrap_or(value)
}

/// The value of an enum that a person means: its short or full name, in any case, with `-` or `_`.
pub fn find_value(of: &EnumDescriptor, text: &str) -> Option<EnumValueDescriptor> {
    let wanted = text.replace('-', "_").to_ascii_uppercase();
    of.values().find(|value| value.name() == wanted || short_value(of, value.name()) == wanted)
}

/// The full name for what a person typed: names stay as they are, `collection/id` and a bare id are completed.
pub fn expand(text: &str, reference: &Reference, workspace: &str) -> String {
    let Reference { collections, service, .. } = reference;
    // Which of all services is meant cannot be guessed.
    if text.is_empty() || text.starts_with("workspaces/") || text.starts_with("//") || service == "*" {
        return text.to_owned();
    }
    let host = if service.is_empty() { String::new() } else { format!("//{service}.waymark.dev/") };
    match collections.as_slice() {
        // Workspaces are in none.
        [collection] if collection == WORKSPACES => format!("{host}{collection}/{text}"),
        _ if text.contains('/') => format!("{host}workspaces/{workspace}/{text}"),
        [collection] => format!("{host}workspaces/{workspace}/{collection}/{text}"),
        _ => text.to_owned(),
    }
}

/// The last part of a resource name, which is enough within a workspace.
pub fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::{descriptors, options};

    #[test]
    fn kebabs() {
        assert_eq!(kebab("display_name"), "display-name");
        assert_eq!(kebab("assumptionTests"), "assumption-tests");
        assert_eq!(kebab("EvaluateScore"), "evaluate-score");
    }

    #[test]
    fn values_lose_their_prefix() {
        let lifecycle = descriptors().get_enum_by_name("waymark.roadmap.v1.ProductLifecycle").unwrap();
        assert_eq!(short_value(&lifecycle, "PRODUCT_LIFECYCLE_GROWING"), "GROWING");
        for text in ["growing", "GROWING", "product-lifecycle-growing", "PRODUCT_LIFECYCLE_GROWING"] {
            assert_eq!(find_value(&lifecycle, text).unwrap().number(), 2, "{text}");
        }
        assert!(find_value(&lifecycle, "grown").is_none());
    }

    #[test]
    fn names_are_completed() {
        let refers_to = |message: &str, field: &str| {
            let message = descriptors().get_message_by_name(message).unwrap();
            options().reference(&message.get_field_by_name(field).unwrap()).unwrap()
        };
        let product = refers_to("waymark.roadmap.v1.GetProductRequest", "name");
        assert_eq!(expand("app", &product, "acme"), "workspaces/acme/products/app");
        assert_eq!(expand("workspaces/w/products/app", &product, "acme"), "workspaces/w/products/app");
        let metric = refers_to("waymark.roadmap.v1.ExpectedOutcome", "metric");
        assert_eq!(expand("orders", &metric, "acme"), "//metrics.waymark.dev/workspaces/acme/metrics/orders");
        let either = refers_to("waymark.discovery.v1.Opportunity", "parent_node");
        assert_eq!(expand("outcomes/grow", &either, "acme"), "workspaces/acme/outcomes/grow");
        assert_eq!(expand("grow", &either, "acme"), "grow");
        let any = refers_to("waymark.common.v1.Evidence", "target");
        assert_eq!(expand("insights/slow", &any, "acme"), "insights/slow");
    }
}
