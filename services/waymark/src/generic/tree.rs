//! The commands for all methods of the contract: `waymark <collection> <verb>`, and `waymark <group> <method>` for
//! those that work on no single resource.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, Command};
use prost_reflect::FieldDescriptor;
use waymark_proto::common::v1::Phase;
use waymark_proto::options;

use super::comments;
use super::contract::{Method, Verb, contract};
use super::flags::{self, Leaf};

/// The id of the argument that names the resource.
pub const NAME: &str = "NAME";
/// The id of the argument with the id of a new resource.
pub const ID: &str = "ID";
/// The id of the argument with a file.
pub const FILE: &str = "FILE";
/// The id of the argument with the most rows to list.
pub const LIMIT: &str = "LIMIT";
/// The id of the argument with fields to clear.
pub const CLEAR: &str = "CLEAR";
/// The id of the flag that replaces a resource as a whole.
pub const REPLACE: &str = "REPLACE";

/// A command made of the contract.
#[derive(Debug, Default)]
pub struct Node {
    about: String,
    phase: Phase,
    method: Option<&'static Method>,
    children: BTreeMap<String, Node>,
}

/// All commands made of the contract.
pub fn commands() -> BTreeMap<String, Node> {
    let mut top: BTreeMap<String, Node> = BTreeMap::new();
    for method in &contract().methods {
        let place = top.entry(method.group.clone()).or_default();
        // A resource is of the service that gets it, whichever have methods on it.
        if method.resource.is_none() || method.verb == Verb::Get {
            place.phase = method.phase;
        }
        let about = comments::of_method(&method.descriptor);
        place.children.insert(method.command.clone(), Node { about, method: Some(method), ..Node::default() });
    }
    for node in top.values_mut() {
        node.about = node.what_for();
    }
    top
}

impl Node {
    /// The method this command calls.
    pub fn method(&self) -> Option<&'static Method> {
        self.method
    }

    /// The phase of the loop that it is for.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What a resource is, what the only method does, or what the service is for.
    fn what_for(&self) -> String {
        let mut methods = self.children.values().filter_map(|node| node.method);
        match (methods.next(), methods.next()) {
            (Some(Method { resource: Some(resource), .. }), _) => comments::of_message(&resource.message),
            (Some(method), None) => comments::of_method(&method.descriptor),
            (Some(method), Some(_)) => comments::of_service(method.descriptor.parent_service()),
            (None, _) => String::new(),
        }
    }

    /// The command below this one.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.get(name)
    }

    /// The clap command.
    pub fn command(&self, name: &str) -> Command {
        let command =
            Command::new(name.to_owned()).about(comments::first_sentence(&self.about)).long_about(self.about.clone());
        match self.method {
            Some(method) => of_method(command, method),
            None => command
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommands(self.children.iter().map(|(name, node)| node.command(name))),
        }
    }
}

fn of_method(command: Command, method: &Method) -> Command {
    let command = command.args(positional(method)).args(flags::args(&request_leaves(method), "Request"));
    let command = match (method.verb, &method.resource) {
        (Verb::Create | Verb::Update, Some(_)) => {
            let heading = "Fields";
            command.args(flags::args(&resource_leaves(method), heading)).arg(
                Arg::new(FILE)
                    .long("file")
                    .short('f')
                    .value_name("FILE")
                    .help_heading(heading)
                    .help("Read the fields from a YAML or JSON file, `-` for standard input; flags override it"),
            )
        }
        _ => command,
    };
    match method.verb {
        Verb::Update => command
            .arg(
                Arg::new(CLEAR)
                    .long("clear")
                    .value_name("FIELD")
                    .action(ArgAction::Append)
                    .help_heading("Fields")
                    .help("Clear this field, such as vision"),
            )
            .arg(
                Arg::new(REPLACE)
                    .long("replace")
                    .action(ArgAction::SetTrue)
                    .help_heading("Fields")
                    .help("Replace the whole resource: what is not given is cleared"),
            ),
        Verb::List => command.arg(
            Arg::new(LIMIT)
                .long("limit")
                .value_name("ROWS")
                .default_value("100")
                .value_parser(clap::value_parser!(usize))
                .help("Show at most this many, over as many pages as it takes; 0 for all"),
        ),
        Verb::Get | Verb::Create | Verb::Custom => command,
    }
}

fn positional(method: &Method) -> Vec<Arg> {
    let input = method.descriptor.input();
    let mut args = Vec::new();
    if method.verb == Verb::Create {
        args.push(Arg::new(ID).value_name("ID").help("Id of the new resource; made by the service when not given"));
    } else if method.verb == Verb::Update || input.get_field_by_name("name").is_some() {
        let help = input.get_field_by_name("name").map(|field| comments::of_field(&field)).unwrap_or_default();
        args.push(
            Arg::new(NAME)
                .value_name("NAME")
                .required(true)
                .help(format!("The id, or the full name. {help}").trim().to_owned()),
        );
    }
    args
}

/// The flags for fields of the request itself: all but those that have a better way in.
pub fn request_leaves(method: &Method) -> Vec<Leaf> {
    let own = method.resource.as_ref().filter(|_| matches!(method.verb, Verb::Create | Verb::Update));
    let id = own.map(|resource| format!("{}_id", resource.singular));
    flags::leaves(&method.descriptor.input(), "request", |field: &FieldDescriptor| {
        let handled = matches!(field.name(), "name" | "parent");
        let of_resource =
            own.is_some_and(|resource| field.name() == resource.singular || id.as_deref() == Some(field.name()));
        !handled && !of_resource
    })
}

/// The flags for fields of the resource that a create or update takes.
pub fn resource_leaves(method: &Method) -> Vec<Leaf> {
    let Some(resource) = &method.resource else { return Vec::new() };
    let request = method.descriptor.input();
    flags::leaves(&resource.message, "resource", |field: &FieldDescriptor| {
        let on_create = method.verb == Verb::Create;
        let allowed = !options().is_output_only(field) && (on_create || !options().is_immutable(field));
        let shadowed = request.get_field_by_name(field.name()).is_some();
        allowed && !shadowed && !(field.name() == "etag" && on_create)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: &str) -> Result<clap::ArgMatches, clap::Error> {
        let commands = commands().iter().map(|(name, node)| node.command(name)).collect::<Vec<_>>();
        Command::new("waymark").subcommands(commands).try_get_matches_from(line.split(' '))
    }

    #[test]
    fn every_command_is_sound() {
        let commands = commands().iter().map(|(name, node)| node.command(name)).collect::<Vec<_>>();
        Command::new("waymark").subcommands(commands).debug_assert();
    }

    #[test]
    fn every_method_has_a_command_of_its_own_in_a_phase() {
        let commands = commands();
        for method in &contract().methods {
            let path = method.path();
            assert!(!method.group.is_empty(), "{path} works on no resource, and its service names no group");
            let node = &commands[&method.group];
            assert_eq!(node.child(&method.command).and_then(Node::method).map(Method::path), Some(path.clone()));
            assert_ne!(node.phase(), Phase::Unspecified, "{path}: its service names no phase");
        }
    }

    #[test]
    fn lines_are_read() {
        assert!(line("waymark products list --filter lifecycle=GROWING").is_ok());
        assert!(line("waymark products create app --display-name App --lifecycle growing").is_ok());
        assert!(line("waymark products update app --clear vision --etag 3").is_ok());
        assert!(line("waymark products update").is_err(), "a name is required");
        assert!(
            line("waymark products create app --create-time 2026-01-01").is_err(),
            "output only fields have no flag"
        );
    }
}
