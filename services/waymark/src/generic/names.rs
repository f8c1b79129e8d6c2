//! Words in the spelling of the command line: `display_name` and `assumptionTests` are `display-name` and
//! `assumption-tests`, the enum value `PRODUCT_LIFECYCLE_GROWING` is `growing`, and a bare id stands for the full name
//! of a resource.

use prost_reflect::{EnumDescriptor, EnumValueDescriptor, FieldDescriptor};

use super::comments;

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

/// What a field refers to, when its comment says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// `workspaces/{workspace}/<collection>/{id}`; several collections when any of them will do.
    Local(Vec<String>),
    /// `//<service>.waymark.dev/workspaces/{workspace}/<collection>/{id}`.
    Full {
        /// The host, such as `metrics.waymark.dev`.
        host: String,
        /// The collection.
        collection: String,
    },
}

/// What a field refers to. Only what its comment states as the form of the field counts; an example counts when it is
/// named like it.
pub fn reference(field: &FieldDescriptor) -> Option<Reference> {
    let comment = comments::of_field(field);
    if let Some(rest) = comment.split_once("`//").map(|(_, rest)| rest) {
        let (host, rest) = rest.split_once("/workspaces/")?;
        let collection = rest.split('/').nth(1)?.to_owned();
        let named_like_it =
            collection.starts_with(field.name()) || field.name().ends_with(collection.trim_end_matches('s'));
        return named_like_it.then(|| Reference::Full { host: host.to_owned(), collection });
    }
    let collections: Vec<String> = comment
        .split("`workspaces/{workspace}/")
        .skip(1)
        .filter_map(|rest| rest.split_once("/{").map(|(collection, _)| collection.to_owned()))
        .filter(|collection| !collection.contains(['`', '<']))
        .collect();
    (!collections.is_empty()).then_some(Reference::Local(collections))
}

/// The full name for what a person typed: names stay as they are, `collection/id` and a bare id are completed.
pub fn expand(text: &str, reference: &Reference, workspace: &str) -> String {
    if text.is_empty() || text.starts_with("workspaces/") || text.starts_with("//") {
        return text.to_owned();
    }
    match reference {
        Reference::Local(_) if text.contains('/') => format!("workspaces/{workspace}/{text}"),
        Reference::Local(collections) if collections.len() == 1 => {
            format!("workspaces/{workspace}/{}/{text}", collections[0])
        }
        Reference::Local(_) => text.to_owned(),
        Reference::Full { host, .. } if text.contains('/') => format!("//{host}/workspaces/{workspace}/{text}"),
        Reference::Full { host, collection } => format!("//{host}/workspaces/{workspace}/{collection}/{text}"),
    }
}

/// The last part of a resource name, which is enough within a workspace.
pub fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::descriptors;

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
        let product = descriptors().get_message_by_name("waymark.roadmap.v1.GetProductRequest").unwrap();
        let name = reference(&product.get_field_by_name("name").unwrap()).unwrap();
        assert_eq!(name, Reference::Local(vec!["products".into()]));
        assert_eq!(expand("app", &name, "acme"), "workspaces/acme/products/app");
        assert_eq!(expand("workspaces/w/products/app", &name, "acme"), "workspaces/w/products/app");
        let metric = Reference::Full { host: "metrics.waymark.dev".into(), collection: "metrics".into() };
        assert_eq!(expand("orders", &metric, "acme"), "//metrics.waymark.dev/workspaces/acme/metrics/orders");
        let either = Reference::Local(vec!["outcomes".into(), "opportunities".into()]);
        assert_eq!(expand("outcomes/grow", &either, "acme"), "workspaces/acme/outcomes/grow");
        assert_eq!(expand("grow", &either, "acme"), "grow");
    }
}
