//! Runs a command made of the contract: builds the request from flags and files, calls, prints.

use std::io::Read as _;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::ArgMatches;
use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage as _, Value};
use serde_json::Value as Json;
use waymark_proto::options;
use waymark_proto::options::Reference;

use super::contract::{Method, Resource, Verb};
use super::names;
use super::tree::{self, CLEAR, FILE, ID, LIMIT, NAME, REPLACE};
use super::{call, flags, json, output};
use crate::Usage;
use crate::settings::Settings;

/// Rows asked for at once; the service's own limit.
const PAGE: usize = 1000;

/// Runs the command of a method.
pub async fn run(method: &Method, matches: &ArgMatches, settings: &Settings) -> Result<()> {
    if method.verb == Verb::List {
        return list(method, matches, settings).await;
    }
    if method.verb == Verb::Create {
        let resources = resources(method, matches)?;
        let several = resources.len() > 1;
        for (index, resource) in resources.into_iter().enumerate() {
            let request = create(method, matches, settings, resource)?;
            let answered = answer(method, request, settings).await;
            if several {
                answered.with_context(|| format!("resource {} of the file", index + 1))?;
            } else {
                answered?;
            }
        }
        return Ok(());
    }
    let mut request = request(method, matches, settings)?;
    if method.verb == Verb::Update {
        update(method, matches, settings, &mut request)?;
    } else if let Some(name) = matches.try_get_one::<String>(NAME).ok().flatten() {
        set(&mut request, "name", Value::String(full_name(method, name, settings)?))?;
    }
    answer(method, request, settings).await
}

/// Calls any method with a request given as JSON, and prints the answer or the stream of answers.
pub async fn call(method: &Method, data: &str, settings: &Settings) -> Result<()> {
    let mut value = json::value(data)?;
    if let (Some(_), Json::Object(fields)) = (method.descriptor.input().get_field_by_name("parent"), &mut value)
        && !fields.contains_key("parent")
    {
        fields.insert("parent".to_owned(), Json::String(settings.parent()?));
    }
    let request = json::message(&method.descriptor.input(), value).map_err(|e| Usage(e.to_string()))?;
    if !method.descriptor.is_server_streaming() {
        return answer(method, request, settings).await;
    }
    let mut stream = call::streaming(&settings.channel(method.area)?, method, request).await?;
    while let Some(message) = stream.message().await.map_err(waymark_client::Error::from)? {
        crate::show(format_args!("{}", output::message(&message, settings.output)?));
    }
    Ok(())
}

async fn answer(method: &Method, request: DynamicMessage, settings: &Settings) -> Result<()> {
    let answer = call::unary(&settings.channel(method.area)?, method, request).await?;
    crate::show(format_args!("{}", output::message(&answer, settings.output)?));
    Ok(())
}

/// The request with the parent and what its own flags say.
fn request(method: &Method, matches: &ArgMatches, settings: &Settings) -> Result<DynamicMessage> {
    let mut request = DynamicMessage::new(method.descriptor.input());
    if request.descriptor().get_field_by_name("parent").is_some() {
        set(&mut request, "parent", Value::String(settings.parent()?))?;
    }
    let workspace = settings.workspace.as_deref().unwrap_or_default();
    flags::read(matches, &tree::request_leaves(method), workspace, &mut request).map_err(|e| Usage(e.to_string()))?;
    Ok(request)
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
        Some(reference) => names::expand(text, &reference, settings.workspace()?),
        None if text.contains('/') => format!("{}/{text}", settings.parent()?),
        None => text.to_owned(),
    };
    if full == text {
        bail!(Usage(format!("{text:?} may be of several collections; write COLLECTION/{text}")));
    }
    Ok(full)
}

/// The resources in the file, or one empty one. A list in the file, or a printed list, is many.
fn resources(method: &Method, matches: &ArgMatches) -> Result<Vec<Json>> {
    let Some(path) = matches.get_one::<String>(FILE) else { return Ok(vec![Json::Object(serde_json::Map::new())]) };
    let text = if path == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        text
    } else {
        std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?
    };
    let collection = method.resource.as_ref().map(|resource| resource.collection.as_str()).unwrap_or_default();
    match json::value(&text).with_context(|| path.clone())? {
        Json::Array(items) => Ok(items),
        Json::Object(mut fields) => match fields.remove(collection) {
            Some(Json::Array(items)) => Ok(items),
            _ => Ok(vec![Json::Object(fields)]),
        },
        _ => bail!(Usage(format!("{path} holds neither a resource nor a list of resources"))),
    }
}

fn own(method: &Method) -> Result<&Resource> {
    method.resource.as_ref().ok_or_else(|| anyhow!("{} works on no resource", method.path()))
}

fn create(method: &Method, matches: &ArgMatches, settings: &Settings, fields: Json) -> Result<DynamicMessage> {
    let resource = own(method)?;
    let mut message = json::message(&resource.message, fields).map_err(|e| Usage(e.to_string()))?;
    // A resource that was printed has its name: its id makes the copy.
    let printed =
        message.get_field_by_name("name").and_then(|name| name.as_str().map(|name| names::short(name).to_owned()));
    let workspace = settings.workspace()?;
    flags::read(matches, &tree::resource_leaves(method), workspace, &mut message).map_err(|e| Usage(e.to_string()))?;
    let mut request = request(method, matches, settings)?;
    let id = matches.get_one::<String>(ID).cloned().or(printed).unwrap_or_default();
    set(&mut request, &format!("{}_id", resource.singular), Value::String(id))?;
    set(&mut request, &resource.singular, Value::Message(message))?;
    Ok(request)
}

/// Fills the resource and the mask of an update: the mask names what flags and file give and what is to be cleared.
fn update(method: &Method, matches: &ArgMatches, settings: &Settings, request: &mut DynamicMessage) -> Result<()> {
    let resource = own(method)?;
    let file = resources(method, matches)?;
    let [fields] = file.as_slice() else {
        bail!(Usage("an update takes one resource; the file has several".to_owned()))
    };
    let mut message = json::message(&resource.message, fields.clone()).map_err(|e| Usage(e.to_string()))?;
    let mut paths: Vec<String> = message
        .fields()
        .filter(|(field, _)| !matches!(field.name(), "name" | "etag"))
        .filter(|(field, _)| !options().is_output_only(field) && !options().is_immutable(field))
        .map(|(field, _)| field.name().to_owned())
        .collect();
    let workspace = settings.workspace.as_deref().unwrap_or_default();
    let flags = flags::read(matches, &tree::resource_leaves(method), workspace, &mut message)
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
    set(request, &resource.singular, Value::Message(message))?;
    let mask = request.descriptor().get_field_by_name("update_mask");
    if mask.is_some_and(|mask| request.has_field(&mask)) {
        return Ok(());
    }
    if paths.is_empty() {
        bail!(Usage("nothing is to be changed; give a flag for a field, --clear or --file".to_owned()));
    }
    let mut mask = DynamicMessage::new(
        request
            .descriptor()
            .get_field_by_name("update_mask")
            .and_then(|f| f.kind().as_message().cloned())
            .context("no mask")?,
    );
    set(&mut mask, "paths", Value::List(paths.into_iter().map(Value::String).collect()))?;
    set(request, "update_mask", Value::Message(mask))
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
            // Whole pages of what is still wanted: at most PAGE, which fits i32.
            set(&mut request, "page_size", Value::I32(PAGE.min(limit - items.len()) as i32))?;
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
    if settings.output != output::Format::Table {
        answer.set_field(&items_field, Value::List(items.clone()));
    }
    crate::show(format_args!("{}", output::list(resource, &answer, &items, settings.output)?));
    if more {
        eprintln!("there are more; --limit 0 shows all");
    }
    Ok(())
}
