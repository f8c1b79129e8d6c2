//! Who a client certificate is of, by the names in it. Whether the certificate may be believed is TLS's affair, before
//! this.

use crate::principal::{Principal, encode};

/// A name in a client certificate (a subject alternative name).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// A URI, as SPIFFE writes identities.
    Uri(&'a str),
    /// A DNS name.
    Dns(&'a str),
}

/// Names of certificates: one, or all that differ in one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    Uri(Labels),
    Dns(Labels),
}

/// A text, with a label in it that is anything or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Labels {
    Exact(String),
    Around { before: String, after: String },
}

impl Pattern {
    /// A URI, in which one segment of the path may be `*`.
    pub(crate) fn uri(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let fixed = !scheme.contains('*') && !authority.contains('*') && !authority.is_empty() && !scheme.is_empty();
        let wild = path.split('/').filter(|segment| segment.contains('*'));
        fixed.then(|| labels(text, '/', &wild.collect::<Vec<_>>())).flatten().map(Self::Uri)
    }

    /// A DNS name, of which the first label may be `*`.
    pub(crate) fn dns(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let right = text.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte))
        });
        let wild: Vec<&str> = text.split('.').filter(|label| label.contains('*')).collect();
        let first = wild.is_empty() || (text.starts_with("*.") && wild.len() == 1);
        (right && first).then(|| labels(&text, '.', &wild)).flatten().map(Self::Dns)
    }

    fn has_wildcard(&self) -> bool {
        match self {
            Self::Uri(labels) | Self::Dns(labels) => matches!(labels, Labels::Around { .. }),
        }
    }

    /// What stands for the wildcard in `name`, empty where there is none; nothing if the name is another.
    fn matched(&self, name: Name<'_>) -> Option<String> {
        let (labels, name, between) = match (self, name) {
            (Self::Uri(labels), Name::Uri(name)) => (labels, name.to_owned(), '/'),
            (Self::Dns(labels), Name::Dns(name)) => (labels, name.to_ascii_lowercase(), '.'),
            (Self::Uri(_), Name::Dns(_)) | (Self::Dns(_), Name::Uri(_)) => return None,
        };
        match labels {
            Labels::Exact(exact) => (*exact == name).then(String::new),
            Labels::Around { before, after } => {
                let label = name.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?;
                // A wildcard in a certificate stands for many, who are nobody in particular.
                let one = !label.is_empty() && !label.contains([between, '*', '?', '#']);
                one.then(|| label.to_owned())
            }
        }
    }
}

fn labels(text: &str, between: char, wild: &[&str]) -> Option<Labels> {
    match wild {
        [] => Some(Labels::Exact(text.to_owned())),
        ["*"] => {
            let (before, after) = text.split_once('*')?;
            let alone = before.ends_with(between) || before.is_empty();
            (alone && (after.is_empty() || after.starts_with(between)))
                .then(|| Labels::Around { before: before.to_owned(), after: after.to_owned() })
        }
        _ => None,
    }
}

/// Whom a certificate with such a name is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    pattern: Pattern,
    /// A principal, or one with `*` as a part, for what stands for the pattern's.
    principal: String,
}

impl Mapping {
    pub(crate) fn new(pattern: Pattern, principal: &str) -> Option<Self> {
        let wild = principal.split('/').filter(|part| part.contains('*')).collect::<Vec<_>>();
        let right = match wild.as_slice() {
            [] => true,
            ["*"] => pattern.has_wildcard(),
            _ => false,
        };
        // Written as a principal is, whatever stands for the wildcard.
        let written = Principal::parse(&principal.replace('*', "x")).is_ok();
        (right && written).then(|| Self { pattern, principal: principal.to_owned() })
    }

    /// The principal, if the certificate has a name that fits.
    pub(crate) fn of(&self, names: &[Name<'_>]) -> Option<Principal> {
        names.iter().find_map(|name| {
            let mut label = String::new();
            encode(&self.pattern.matched(*name)?, &mut label);
            Principal::parse(&self.principal.replace('*', &label)).ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(pattern: Option<Pattern>, principal: &str, name: Name<'_>) -> Option<String> {
        Mapping::new(pattern.unwrap(), principal).unwrap().of(&[name]).map(|principal| principal.to_string())
    }

    #[test]
    fn a_uri_is_compared_whole_but_for_one_segment() {
        let exact = || Pattern::uri("spiffe://prod/ns/waymark/sa/metrics");
        assert_eq!(
            who(exact(), "services/metrics", Name::Uri("spiffe://prod/ns/waymark/sa/metrics")).unwrap(),
            "services/metrics"
        );
        for other in [
            "spiffe://prod/ns/waymark/sa/metrics/",
            "spiffe://prod/ns/waymark/sa/Metrics",
            "xspiffe://prod/ns/waymark/sa/metrics",
        ] {
            assert_eq!(who(exact(), "services/metrics", Name::Uri(other)), None, "{other}");
        }
        let wild = |name| who(Pattern::uri("spiffe://prod/ns/*/sa/web"), "services/*/web", Name::Uri(name));
        assert_eq!(wild("spiffe://prod/ns/shop/sa/web").unwrap(), "services/shop/web");
        assert_eq!(wild("spiffe://prod/ns/a b/sa/web").unwrap(), "services/a%20b/web");
        for other in [
            "spiffe://prod/ns//sa/web",
            "spiffe://prod/ns/a/b/sa/web",
            "spiffe://prod/ns/*/sa/web",
            "spiffe://prod/ns/shop/sa/web2",
        ] {
            assert_eq!(wild(other), None, "{other}");
        }
    }

    #[test]
    fn a_dns_name_is_compared_without_case_but_for_its_first_label() {
        let wild = |name| who(Pattern::dns("*.Svc.example.com"), "services/*", Name::Dns(name));
        assert_eq!(wild("Web.svc.EXAMPLE.com").unwrap(), "services/web");
        for other in
            ["svc.example.com", ".svc.example.com", "a.b.svc.example.com", "*.svc.example.com", "web.svc.example.com."]
        {
            assert_eq!(wild(other), None, "{other}");
        }
        assert_eq!(who(Pattern::dns("a.dev"), "services/a", Name::Uri("a.dev")), None, "a URI is no DNS name");
    }

    #[test]
    fn what_could_mean_more_than_one_label_is_no_pattern() {
        for uri in [
            "*",
            "spiffe://*/x",
            "*://prod/x",
            "spiffe://prod/a*/x",
            "spiffe://prod/*/*",
            "spiffe://prod/**",
            "prod/x",
            "://x/y",
        ] {
            assert_eq!(Pattern::uri(uri), None, "{uri}");
        }
        for dns in ["*", "", "a.*.com", "*a.com", "*.*.com", "a..com", "a b.com", "ä.com"] {
            assert_eq!(Pattern::dns(dns), None, "{dns}");
        }
        let exact = || Pattern::dns("a.dev").unwrap();
        for principal in ["services/*", "groups/x/y", "", "root", "services/a b", "services/x*"] {
            assert_eq!(Mapping::new(exact(), principal), None, "{principal}");
        }
        assert_eq!(Mapping::new(Pattern::dns("*.dev").unwrap(), "services/*/*"), None);
    }
}
