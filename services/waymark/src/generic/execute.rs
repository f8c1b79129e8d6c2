//! Runs a command made of the contract: builds the request from flags and files, calls, prints.

use anyhow::{Context as _, Result, anyhow, bail};
use clap::ArgMatches;
use clap::parser::ValueSource;
use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage as _, Value};
use waymark_domain::WorkspaceId;
use waymark_proto::options;
use waymark_proto::options::Reference;

use super::contract::{Method, Resource, Verb};
use super::file::{File, told};
use super::names::WORKSPACES;
use super::tree::{self, CLEAR, FILE, ID, LIMIT, NAME, REPLACE};
use super::{call, dates, export, flags, names, output, read};
use crate::Usage;
use crate::settings::Settings;

/// Runs the command of a method.
pub async fn run(method: &Method, matches: &ArgMatches, settings: &Settings) -> Result<()> {
    // A question that is asked in a time zone is answered in it.
    let asked_in = flags::zone(matches, &tree::request_leaves(method));
    let settings = &Settings { time_zone: settings.time_zone.or(asked_in), ..settings.clone() };
    let rows = settings.output.rows().filter(|_| matches!(method.verb, Verb::List | Verb::Custom));
    if let Some(form) = rows.filter(|_| export::list(method).is_some()) {
        let given = matches.try_get_one::<usize>(LIMIT).ok().flatten().filter(|limit| **limit > 0);
        // A limit that nobody gave is for people.
        let given = given.filter(|_| matches.value_source(LIMIT) == Some(ValueSource::CommandLine));
        let limit = given.copied().unwrap_or(usize::MAX);
        return export::run(&settings.channel(method.area)?, method, named(method, matches, settings)?, form, limit)
            .await;
    }
    // Before anything is done that could not be told of.
    settings.format()?;
    match method.verb {
        Verb::List => list(method, matches, settings).await,
        Verb::Create => create_all(method, matches, settings).await,
        Verb::Update => {
            let (resource, file) = (own(method)?, file(method, matches)?);
            let request = update(method, matches, settings, file.as_ref())?;
            let answered = answer(method, request, settings).await;
            match file.as_ref().and_then(|file| Some((file, file.resources.first()?))) {
                Some((file, node)) => answered.map_err(|error| file.located(error, &resource.singular, node)),
                None => answered,
            }
        }
        Verb::Get | Verb::Custom => answer(method, named(method, matches, settings)?, settings).await,
    }
}

/// The request with the name that is given, if one can be.
fn named(method: &Method, matches: &ArgMatches, settings: &Settings) -> Result<DynamicMessage> {
    let mut request = request(method, matches, settings)?;
    if let Some(name) = matches.try_get_one::<String>(NAME).ok().flatten() {
        set(&mut request, "name", Value::String(full_name(method, name, settings)?))?;
    }
    Ok(request)
}

/// Calls any method with a request given as JSON or YAML, and prints the answer or the stream of answers.
pub async fn call(method: &Method, data: &str, settings: &Settings) -> Result<()> {
    settings.format()?;
    let read = read::text(&method.descriptor.input(), data, &settings.place());
    let mut request = read.map_err(|problems| Usage(told("--data", &problems)))?;
    if let Some(parent) = method.descriptor.input().get_field_by_name("parent")
        && !request.has_field(&parent)
    {
        request.set_field(&parent, Value::String(self::parent(method, settings)?));
    }
    if !method.descriptor.is_server_streaming() {
        return answer(method, request, settings).await;
    }
    let mut stream = call::streaming(&settings.channel(method.area)?, method, request).await?;
    while let Some(message) = stream.message().await.map_err(waymark_client::Error::from)? {
        crate::show(format_args!("{}", output::message(&message, settings.style()?)?));
    }
    Ok(())
}

async fn answer(method: &Method, request: DynamicMessage, settings: &Settings) -> Result<()> {
    let answer = call::unary(&settings.channel(method.area)?, method, request).await?;
    crate::show(format_args!("{}", output::message(&answer, settings.style()?)?));
    Ok(())
}

/// The request with the parent and what its own flags say.
fn request(method: &Method, matches: &ArgMatches, settings: &Settings) -> Result<DynamicMessage> {
    let mut request = DynamicMessage::new(method.descriptor.input());
    if request.descriptor().get_field_by_name("parent").is_some() {
        set(&mut request, "parent", Value::String(parent(method, settings)?))?;
    }
    let leaves = tree::request_leaves(method);
    flags::read(matches, &leaves, &settings.place(), &mut request).map_err(|e| Usage(e.to_string()))?;
    if let Some(zone) = settings.time_zone {
        flags::ask_in(zone, &leaves, &mut request);
    }
    dates::complete(&mut request, settings.zone());
    Ok(request)
}

/// Where what a method works on is: in the workspace that is named, unless it is a workspace.
fn parent(method: &Method, settings: &Settings) -> Result<String> {
    match &method.resource {
        Some(resource) if resource.collection == WORKSPACES => Ok(WorkspaceId::installation().to_string()),
        _ => settings.parent(),
    }
}

fn set(message: &mut DynamicMessage, field: &str, value: Value) -> Result<()> {
    let field =
        message.descriptor().get_field_by_name(field).ok_or_else(|| anyhow!("the request has no field {field}"))?;
    message.try_set_field(&field, value)?;
    Ok(())
}

/// The full name for what was typed, by the form the contract gives or the resource the method works on.
fn full_name(method: &Method, text: &str, settings: &Settings) -> Result<String> {
    if text.starts_with("workspaces/") {
        return Ok(text.to_owned());
    }
    let stated = method.descriptor.input().get_field_by_name("name").and_then(|field| options().reference(&field));
    let own = method.resource.as_ref().map(|resource| Reference::local(&resource.collection));
    let full = match stated.or(own) {
        Some(reference) if reference.collections == [WORKSPACES] => names::expand(text, &reference, ""),
        Some(reference) => names::expand(text, &reference, settings.workspace()?),
        None if text.contains('/') => format!("{}/{text}", settings.parent()?),
        None => text.to_owned(),
    };
    if full == text {
        bail!(Usage(format!("{text:?} may be of several collections; write COLLECTION/{text}")));
    }
    Ok(full)
}

fn own(method: &Method) -> Result<&Resource> {
    method.resource.as_ref().ok_or_else(|| anyhow!("{} works on no resource", method.path()))
}

/// Creates the resources of the file in order, or the one that flags say. None is created while one cannot be read.
async fn create_all(method: &Method, matches: &ArgMatches, settings: &Settings) -> Result<()> {
    let Some(file) = file(method, matches)? else {
        let message = DynamicMessage::new(own(method)?.message.clone());
        return answer(method, create(method, matches, settings, message)?, settings).await;
    };
    let resource = own(method)?;
    for (node, message) in file.resources.iter().zip(file.messages(resource, settings)?) {
        let request = create(method, matches, settings, message)?;
        let answered = answer(method, request, settings).await;
        answered.map_err(|error| file.located(error, &resource.singular, node))?;
    }
    Ok(())
}

fn file(method: &Method, matches: &ArgMatches) -> Result<Option<File>> {
    matches.get_one::<String>(FILE).map(|path| File::read(path, &own(method)?.collection)).transpose()
}

fn create(
    method: &Method,
    matches: &ArgMatches,
    settings: &Settings,
    mut message: DynamicMessage,
) -> Result<DynamicMessage> {
    let resource = own(method)?;
    // A resource that was printed has its name: its id makes the copy.
    let printed =
        message.get_field_by_name("name").and_then(|name| name.as_str().map(|name| names::short(name).to_owned()));
    flags::read(matches, &tree::resource_leaves(method), &settings.place(), &mut message)
        .map_err(|e| Usage(e.to_string()))?;
    let mut request = request(method, matches, settings)?;
    let id = matches.get_one::<String>(ID).cloned().or(printed).unwrap_or_default();
    set(&mut request, &format!("{}_id", resource.singular), Value::String(id))?;
    set(&mut request, &resource.singular, Value::Message(message))?;
    Ok(request)
}

/// The request of an update: its mask names what flags and file give and what is to be cleared.
fn update(method: &Method, matches: &ArgMatches, settings: &Settings, file: Option<&File>) -> Result<DynamicMessage> {
    let resource = own(method)?;
    let mut request = request(method, matches, settings)?;
    let mut message = match file {
        None => DynamicMessage::new(resource.message.clone()),
        Some(file) => match file.messages(resource, settings)?.as_slice() {
            [message] => message.clone(),
            several => bail!(Usage(format!("an update takes one resource; the file has {}", several.len()))),
        },
    };
    let mut paths: Vec<String> = message
        .fields()
        .filter(|(field, _)| !matches!(field.name(), "name" | "etag"))
        .filter(|(field, _)| !options().is_output_only(field) && !options().is_immutable(field))
        .map(|(field, _)| field.name().to_owned())
        .collect();
    let flags = flags::read(matches, &tree::resource_leaves(method), &settings.place(), &mut message)
        .map_err(|e| Usage(e.to_string()))?;
    paths.extend(flags.into_iter().filter(|path| path != "etag"));
    for cleared in matches.get_many::<String>(CLEAR).into_iter().flatten() {
        let path = cleared.replace('-', "_");
        let Some(field) = resource.message.get_field_by_name(&path) else {
            bail!(Usage(format!("--clear {cleared}: {} has no such field", resource.singular)));
        };
        message.clear_field(&field);
        paths.push(path);
    }
    paths.sort();
    paths.dedup();
    if matches.get_flag(REPLACE) {
        paths = vec!["*".to_owned()];
    }
    let typed: &String = matches.get_one(NAME).ok_or_else(|| anyhow!("no name is given"))?;
    let name = full_name(method, typed, settings)?;
    set(&mut message, "name", Value::String(name))?;
    set(&mut request, &resource.singular, Value::Message(message))?;
    let mask = request.descriptor().get_field_by_name("update_mask").context("no mask")?;
    if request.has_field(&mask) {
        return Ok(request);
    }
    if paths.is_empty() {
        bail!(Usage("nothing is to be changed; give a flag for a field, --clear or --file".to_owned()));
    }
    let mut named = DynamicMessage::new(mask.kind().as_message().cloned().context("no mask")?);
    set(&mut named, "paths", Value::List(paths.into_iter().map(Value::String).collect()))?;
    request.set_field(&mask, Value::Message(named));
    Ok(request)
}

async fn list(method: &Method, matches: &ArgMatches, settings: &Settings) -> Result<()> {
    let resource = own(method)?;
    let mut request = request(method, matches, settings)?;
    let limit = matches.get_one::<usize>(LIMIT).copied().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let items_field =
        method.descriptor.output().fields().find(FieldDescriptor::is_list).context("the answer has no list")?;
    let channel = settings.channel(method.area)?;
    let chosen = request.get_field_by_name("page_size").and_then(|size| size.as_i32()).unwrap_or_default();
    let mut items: Vec<Value> = Vec::new();
    let (mut answer, more) = loop {
        if chosen == 0 {
            // Whole pages of what is still wanted: at most that, which fits i32.
            set(&mut request, "page_size", Value::I32(export::PAGE.min(limit - items.len()) as i32))?;
        }
        let mut answer = call::unary(&channel, method, request.clone()).await?;
        let token =
            answer.get_field_by_name("next_page_token").and_then(|t| t.as_str().map(str::to_owned)).unwrap_or_default();
        if let Some(page) = answer.get_field_mut(&items_field).as_list_mut() {
            items.append(page);
        }
        if token.is_empty() || items.len() >= limit {
            break (answer, !token.is_empty() || items.len() > limit);
        }
        set(&mut request, "page_token", Value::String(token))?;
    };
    items.truncate(limit);
    if settings.format()? != output::Format::Table {
        answer.set_field(&items_field, Value::List(items.clone()));
    }
    crate::show(format_args!("{}", output::list(resource, &answer, &items, settings.style()?)?));
    if more {
        eprintln!("there are more; --limit 0 shows all");
    }
    Ok(())
}
