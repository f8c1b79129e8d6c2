//! Names of resources of any kind (AIP-122): `workspaces/{workspace}/<collection>/{id}`, and full names that also say
//! which service. Names of one kind are in `meta`, with what a kind is.
//!
//! A workspace is a resource, too: of the collection `workspaces` in the workspace that is of the installation. Its name
//! is `workspaces/{id}`, and no other is read or printed.

use std::fmt;
use std::str::FromStr;

/// Why a name or an id is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a DNS label.
    #[error(
        "{0:?} is not an id: use 1 to 63 lower-case letters, digits and hyphens, starting with a letter or digit, not ending with a hyphen"
    )]
    Id(String),
    /// Not of the form of a resource name.
    #[error("{0:?} is not a resource name of the form workspaces/{{workspace}}/<collection>/{{id}}")]
    Form(String),
    /// A well-formed name of another collection.
    #[error("{name:?} is not in the collection {expected:?}: use workspaces/{{workspace}}/{expected}/{{id}}")]
    Collection {
        /// The name given.
        name: String,
        /// The collection needed.
        expected: &'static str,
    },
    /// A parent that is no workspace.
    #[error("{0:?} is not a workspace name of the form workspaces/{{workspace}}")]
    Workspace(String),
    /// A workspace within another.
    #[error("{0:?} is in a workspace, and workspaces are in none: use workspaces/{{workspace}}")]
    Nested(String),
    /// Not of the form of a full name.
    #[error(
        "{0:?} is not a full resource name of the form //{{service}}.waymark.dev/workspaces/{{workspace}}/<collection>/{{id}} with service discovery, roadmap or metrics"
    )]
    Full(String),
}

/// The id of the workspace that is of the installation.
const INSTALLATION: &str = "installation";

/// The collection of workspaces.
const WORKSPACES: &str = "workspaces";

/// The name of a resource.
pub struct Path<'a> {
    /// The workspace.
    pub workspace: &'a WorkspaceId,
    /// The collection.
    pub collection: &'a str,
    /// The id within the collection.
    pub id: &'a str,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workspace, collection, id } = self;
        if *collection == WORKSPACES && workspace.is_installation() {
            write!(f, "{collection}/{id}")
        } else {
            write!(f, "{workspace}/{collection}/{id}")
        }
    }
}

fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=63).contains(&bytes.len())
        && bytes.first().is_some_and(edge)
        && bytes.last().is_some_and(edge)
        && bytes.iter().all(|b| edge(b) || *b == b'-')
}

/// The last part of a name: a lower-case DNS label of at most 63 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(String);

impl ResourceId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ResourceId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_label(text) { Ok(Self(text.to_owned())) } else { Err(NameError::Id(text.to_owned())) }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tenant: the unit of isolation, of revision order and of export. Printed and parsed as `workspaces/{workspace}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspaceId(ResourceId);

impl WorkspaceId {
    /// The bare id, without `workspaces/`.
    pub fn id(&self) -> &str {
        self.0.as_str()
    }

    /// The workspace of what is of none: of workspaces themselves, and of what is told of the installation. No workspace is
    /// made of this id, and nothing else is kept in it.
    pub fn installation() -> Self {
        Self(ResourceId(INSTALLATION.to_owned()))
    }

    /// Whether it is that of the installation.
    pub fn is_installation(&self) -> bool {
        self.id() == INSTALLATION
    }

    /// From the bare id.
    pub fn from_id(id: &str) -> Result<Self, NameError> {
        id.parse().map(Self)
    }
}

impl FromStr for WorkspaceId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        text.strip_prefix("workspaces/")
            .filter(|id| is_label(id))
            .map(|id| Self(ResourceId(id.to_owned())))
            .ok_or_else(|| NameError::Workspace(text.to_owned()))
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "workspaces/{}", self.0)
    }
}

/// A name of any collection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AnyName {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The collection, such as `initiatives`.
    pub collection: String,
    /// The id within the collection.
    pub id: ResourceId,
}

impl FromStr for AnyName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let form = || NameError::Form(text.to_owned());
        if let Ok(WorkspaceId(id)) = text.parse() {
            return Ok(Self { workspace: WorkspaceId::installation(), collection: WORKSPACES.to_owned(), id });
        }
        let mut parts = text.split('/');
        let (Some("workspaces"), Some(workspace), Some(collection), Some(id), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(form());
        };
        let is_collection =
            !collection.is_empty() && collection.len() <= 63 && collection.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_label(workspace) || !is_label(id) || !is_collection {
            return Err(form());
        }
        if collection == WORKSPACES {
            return Err(NameError::Nested(text.to_owned()));
        }
        Ok(Self {
            workspace: WorkspaceId(ResourceId(workspace.to_owned())),
            collection: collection.to_owned(),
            id: ResourceId(id.to_owned()),
        })
    }
}

impl fmt::Display for AnyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workspace, collection, id } = self;
        Path { workspace, collection, id: id.as_str() }.fmt(f)
    }
}

/// A name that also says which service holds the resource: `//roadmap.waymark.dev/workspaces/acme/initiatives/sso`.
/// Links between services are full names, since two services may have a collection of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FullName {
    /// `discovery`, `roadmap` or `metrics`.
    pub service: String,
    /// The name within the service.
    pub name: AnyName,
}

impl FromStr for FullName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let full = || NameError::Full(text.to_owned());
        let (host, name) = text.strip_prefix("//").and_then(|rest| rest.split_once('/')).ok_or_else(full)?;
        let service = host
            .strip_suffix(".waymark.dev")
            .filter(|s| matches!(*s, "discovery" | "roadmap" | "metrics"))
            .ok_or_else(full)?;
        Ok(Self { service: service.to_owned(), name: name.parse().map_err(|_| full())? })
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "//{}.waymark.dev/{}", self.service, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_name_prints_what_it_parsed(w in "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", c in "[a-zA-Z]{1,20}", id in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?") {
            let text = format!("workspaces/{w}/{c}/{id}");
            prop_assert_eq!(text.parse::<AnyName>().unwrap().to_string(), text);
        }

        #[test]
        fn parsing_never_panics(text in ".*") {
            let _ = text.parse::<AnyName>();
            let _ = text.parse::<FullName>();
            let _ = text.parse::<WorkspaceId>();
        }
    }

    #[test]
    fn a_workspace_has_one_name() {
        let acme: AnyName = "workspaces/acme".parse().unwrap();
        assert_eq!(
            (acme.workspace.is_installation(), &*acme.collection, acme.id.as_str()),
            (true, "workspaces", "acme")
        );
        assert_eq!(acme.to_string(), "workspaces/acme");
        assert_eq!("workspaces/installation".parse(), Ok(WorkspaceId::installation()));
    }

    #[test]
    fn refuses_what_is_not_a_name() {
        for text in [
            "",
            "workspaces/",
            "workspaces/*",
            "workspaces/installation/workspaces/a",
            "workspaces/a/workspaces/b",
            "workspaces/A/initiatives/x",
            "workspaces/a/initiatives/-x",
            "workspaces/a/initiatives/x/y",
            "workspaces/a//x",
        ] {
            assert!(text.parse::<AnyName>().is_err(), "{text}");
        }
        assert!("//billing.waymark.dev/workspaces/a/initiatives/x".parse::<FullName>().is_err());
    }
}
