//! The commands for all methods of the contract: `waymark <area> <collection> <verb>`, and `waymark <collection>
//! <verb>` where no other service has such a collection. Methods that work on no single resource are grouped by the
//! name of their service.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, Command};
use prost_reflect::FieldDescriptor;
use waymark_proto::options;

use super::comments;
use super::contract::{Area, Method, Verb, contract};
use super::flags::{self, Leaf};
use super::names::kebab;

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
    method: Option<&'static Method>,
    children: BTreeMap<String, Node>,
}

/// All commands made of the contract.
pub fn commands() -> BTreeMap<String, Node> {
    let contract = contract();
    let mut top: BTreeMap<String, Node> = BTreeMap::new();
    for area in Area::ALL {
        let about = format!("All commands of the {area} service");
        top.insert(area.name().to_owned(), Node { about, ..Node::default() });
    }
    for method in &contract.methods {
        let (group, about) = match &method.resource {
            Some(resource) => {
                (kebab(&resource.collection), format!("Work with {}", kebab(&resource.collection).replace('-', " ")))
            }
            None => {
                (method.group(), comments::first_sentence(&comments::of_service(method.descriptor.parent_service())))
            }
        };
        let shared = contract.resources.iter().filter(|resource| kebab(&resource.collection) == group).count() > 1;
        let leaf = || Node { about: comments::of_method(&method.descriptor), method: Some(method), ..Node::default() };
        let qualified = top.entry(method.area.name().to_owned()).or_default();
        let place =
            qualified.children.entry(group.clone()).or_insert_with(|| Node { about: about.clone(), ..Node::default() });
        place.children.insert(method.command.clone(), leaf());
        if !shared {
            let place = top.entry(group).or_insert_with(|| Node { about, ..Node::default() });
            place.children.entry(method.command.clone()).or_insert_with(leaf);
        }
    }
    top
}

impl Node {
    /// The method this command calls.
    pub fn method(&self) -> Option<&'static Method> {
        self.method
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
    fn every_method_has_a_command_below_its_area() {
        let commands = commands();
        for method in &contract().methods {
            let group = method.resource.as_ref().map_or_else(|| method.group(), |resource| kebab(&resource.collection));
            let node = commands[method.area.name()].child(&group).and_then(|node| node.child(&method.command));
            assert_eq!(node.and_then(Node::method).map(Method::path), Some(method.path()));
        }
    }

    #[test]
    fn short_and_qualified_forms() {
        assert!(line("waymark products list --filter lifecycle=GROWING").is_ok());
        assert!(line("waymark roadmap products create app --display-name App --lifecycle growing").is_ok());
        assert!(line("waymark products update app --clear vision --etag 3").is_ok());
        assert!(line("waymark products update").is_err(), "a name is required");
        assert!(
            line("waymark products create app --create-time 2026-01-01").is_err(),
            "output only fields have no flag"
        );
    }
}
