//! Files with resources: one, a list, a printed list, or documents one after the other with any of these.

use std::io::Read as _;

use anyhow::{Context as _, Result};
use prost_reflect::DynamicMessage;
use waymark_client::Error;

use super::contract::Resource;
use super::document::{self, Form, Node, Problem};
use super::read;
use crate::Usage;
use crate::settings::Settings;

/// A file with resources of a collection.
pub struct File {
    path: String,
    /// The resources, in the order of the file.
    pub resources: Vec<Node>,
}

impl File {
    /// Reads a file, or standard input when it is called `-`.
    pub fn read(path: &str, collection: &str) -> Result<Self> {
        let mut text = String::new();
        if path == "-" {
            std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        } else {
            text = std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
        }
        Self::parse(path, &text, collection)
    }

    fn parse(path: &str, text: &str, collection: &str) -> Result<Self> {
        let documents = document::documents(text).map_err(|problem| Usage(told(path, &[problem])))?;
        let resources: Vec<Node> = documents.into_iter().flat_map(|document| resources(document, collection)).collect();
        if resources.is_empty() {
            anyhow::bail!(Usage(format!("{path} is empty")));
        }
        Ok(Self { path: path.to_owned(), resources })
    }

    /// The messages of all resources, or all that is wrong with any.
    pub fn messages(&self, resource: &Resource, settings: &Settings) -> Result<Vec<DynamicMessage>> {
        let (mut messages, mut problems) = (Vec::new(), Vec::new());
        for node in &self.resources {
            match read::message(&resource.message, node, &settings.place()) {
                Ok(message) => messages.push(message),
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() { Ok(messages) } else { Err(Usage(told(&self.path, &problems)).into()) }
    }

    /// A refusal of the service with where in the file stands what is refused.
    pub fn located(&self, error: anyhow::Error, singular: &str, node: &Node) -> anyhow::Error {
        let violations = error.downcast_ref::<Error>().map(Error::violations).unwrap_or_default();
        let within =
            violations.iter().filter_map(|violation| violation.field.strip_prefix(singular)?.strip_prefix('.'));
        let mut places: Vec<String> = within.map(|field| format!("line {}, `{field}`", line_of(node, field))).collect();
        if places.is_empty() {
            places.push(format!("line {}", node.line));
        }
        error.context(format!("{}, {}", self.path, places.join("; ")))
    }
}

/// Problems with where they are, each on a line.
pub fn told(source: &str, problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{source}, {problem}")).collect::<Vec<_>>().join("\n  ")
}

fn resources(document: Node, collection: &str) -> Vec<Node> {
    match &document.form {
        Form::List(items) => items.clone(),
        Form::Fields(_) => match document.get(collection) {
            Some(Node { form: Form::List(items), .. }) => items.clone(),
            _ => vec![document],
        },
        Form::Scalar(..) => vec![document],
    }
}

/// The line of a field: of as much of its path as there is.
fn line_of(node: &Node, path: &str) -> usize {
    let (mut node, mut line) = (node, node.line);
    for step in path.split(['.', '[']) {
        let next = match (&node.form, step.trim_end_matches(']')) {
            (Form::Fields(fields), name) => fields
                .iter()
                .find(|(known, _)| known.text == name || json_name(name) == known.text)
                .map(|(known, node)| (known.line, node)),
            (Form::List(items), index) => {
                index.parse().ok().and_then(|index: usize| items.get(index)).map(|node| (node.line, node))
            }
            (Form::Scalar(..), _) => None,
        };
        let Some(next) = next else { break };
        (line, node) = next;
    }
    line
}

/// `displayName` of `display_name`.
fn json_name(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut name, part| {
        let mut letters = part.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name + letters.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resources(text: &str) -> Vec<serde_json::Value> {
        File::parse("f.yaml", text, "products").unwrap().resources.iter().map(Node::json).collect()
    }

    #[test]
    fn resources_come_in_the_order_of_the_file() {
        let id = |id: &str| json!({"name": id});
        assert_eq!(
            resources("name: a\n---\n- name: b\n- name: c\n---\nproducts:\n- name: d\n"),
            ["a", "b", "c", "d"].map(id)
        );
        assert_eq!(resources("{\"name\": \"a\"}"), [id("a")]);
        assert!(File::parse("f.yaml", "---\n", "products").is_err());
    }

    #[test]
    fn a_field_is_found_in_either_spelling_as_far_as_it_is_there() {
        let text = "displayName: A\nexpected_outcome:\n  change: {low: 1}\nevidence:\n- note: x\n- {}\n";
        let node = &document::documents(text).unwrap()[0];
        for (path, line) in [
            ("display_name", 1),
            ("expected_outcome.change.low", 3),
            ("expected_outcome.metric", 2),
            ("evidence[0].note", 5),
            ("evidence[1].target", 6),
            ("owner", 1),
        ] {
            assert_eq!(line_of(node, path), line, "{path}");
        }
    }
}
