//! From a row to the resource that it stands for, and to what belongs to that.

use std::collections::HashMap;

use anyhow::{Result, bail};
use chrono_tz::Tz;
use prost_reflect::{DynamicMessage, MapKey, Value};

use super::super::notation::Notation;
use super::super::record::{Cells, Record};
use super::super::source::Source;
use super::declared::{Declared, Spec};
use super::key::Keys;
use super::kind::Kind;
use super::reading::{Columns, Reader, Said};
use super::target::Target;
use crate::Usage;
use crate::generic::document::{Form, Name, Node, Problem};
use crate::generic::read;
use crate::place::Place;

/// The column of the key where none is said: the name that exports have.
const NAME: &str = "name";
/// The label that keeps a key which is not the id.
const LABEL: &str = "external-key";
/// Columns that are listed to somebody who misses one.
const LISTED: usize = 50;

/// How rows become resources.
pub struct Mapping {
    pub kind: &'static Kind,
    pub keys: Keys,
    key: Vec<Columns>,
    only: Vec<(Columns, Vec<String>)>,
    fields: Vec<Mapped>,
    constants: Vec<Constant>,
    /// Columns that say by their names which fields they are, where nothing else is said; of objects those found so far.
    by_name: Option<HashMap<String, Option<Mapped>>>,
    notation: Notation,
    zone: Tz,
}

/// Columns of a field.
struct Mapped {
    target: Target,
    columns: Vec<Columns>,
    reader: Reader,
}

/// What is the same for all rows.
struct Constant {
    target: Target,
    node: Node,
    /// The message within which a column has to give something; none when it stands in any row.
    beside: Option<(usize, Vec<String>)>,
}

/// What a row stands for.
pub struct Row {
    pub line: u64,
    pub key: String,
    pub id: String,
    /// The resource, then its parts, as far as the row says something of them.
    pub messages: Vec<Option<DynamicMessage>>,
    /// Names that a method of their own adds, by field.
    pub links: Vec<(String, Vec<String>)>,
}

/// What is wrong with a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// The field, as the contract has it; empty when it is of none.
    pub field: String,
    /// The column that goes there; empty when none does.
    pub column: String,
    pub reason: String,
}

/// What becomes of a row: `None` when it is passed over.
pub type Taken = std::result::Result<Option<Row>, (String, Vec<Fault>)>;

impl Mapping {
    /// From what is said and the columns of the file; refuses fields and columns that there are not.
    pub fn new(
        kind: &'static Kind,
        said: &Declared,
        keys: Keys,
        source: &Source,
        notation: Notation,
        zone: Tz,
    ) -> Result<Self> {
        let header = source.header();
        let missing =
            |name: &str| source.columns.as_ref().is_some_and(|columns| !columns.iter().any(|known| known == name));
        let refuse = |name: &str| {
            let known = source.columns.iter().flatten().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
            let advice = source.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
            Usage(format!("the file has no column {name:?}; its columns are {known}{advice}"))
        };
        let columns = |names: &[String]| -> Result<Vec<Columns>> {
            if let [name] = names
                && missing(name)
                && !said.optional
            {
                bail!(refuse(name));
            }
            Ok(names.iter().filter(|name| !missing(name)).map(|name| Columns::new(name, header)).collect())
        };
        let target = |path: &str| match Target::new(kind, path) {
            Ok(target) if target.is_output_only(kind) => Err(Usage(format!("{path} is set by the service"))),
            other => other.map_err(Usage),
        };
        let mut fields = Vec::new();
        for (path, spec) in &said.fields {
            let mapped = Mapped {
                target: target(path)?,
                columns: columns(&spec.columns)?,
                reader: Reader::new(spec, notation, zone)?,
            };
            if !mapped.columns.is_empty() {
                fields.push(mapped);
            }
        }
        let mut by_name = None;
        if said.fields.is_empty() {
            by_name = Some(HashMap::new());
            for name in header {
                fields.extend(named(kind, name, header, notation, zone)?);
            }
        }
        let key = match said.key.as_slice() {
            [] if by_name.is_none() || missing(NAME) => {
                bail!(Usage(
                    "say by --key COLUMN which column tells rows apart: the same key is the same resource".to_owned()
                ))
            }
            [] => vec![Columns::new(NAME, header)],
            names => columns(names)?,
        };
        if key.is_empty() {
            bail!(refuse(&said.key.join(" or ")));
        }
        let mut only = Vec::new();
        for (name, values) in &said.only {
            let column = Columns::new(name, header);
            if missing(name) && said.optional {
                continue;
            }
            if missing(name) {
                bail!(refuse(name));
            }
            only.push((column, values.clone()));
        }
        let mut constants = Vec::new();
        for (path, text) in &said.constants {
            let target = target(path)?;
            let reader = Reader::new(&Spec::default(), notation, zone)?;
            let problem = |problem| Usage(format!("{path}: {problem}"));
            if let Some(node) = reader.node(&target, &[Said::Text(text)], 1).map_err(problem)? {
                let beside = beside(&target, &fields);
                constants.push(Constant { target, node, beside });
            }
        }
        Ok(Self { kind, keys, key, only, fields, constants, by_name, notation, zone })
    }

    /// Columns of the header that go nowhere.
    pub fn left_out(&self, source: &[String]) -> Vec<String> {
        let used = |name: &String| {
            let fields = self.fields.iter().flat_map(|field| &field.columns);
            let all = fields.chain(&self.key).chain(self.only.iter().map(|(column, _)| column));
            all.into_iter().any(|column| column.name == *name)
        };
        source.iter().filter(|name| !used(name)).cloned().collect()
    }

    /// What a row stands for, or all that is wrong with its values, and its key.
    pub fn row(&mut self, record: &Record) -> Taken {
        self.learn(&record.cells).map_err(|reason| (String::new(), vec![Fault { reason, ..Fault::default() }]))?;
        let kept = self.only.iter().all(|(column, values)| {
            let said = column.said(&record.cells);
            said.iter().any(|said| values.iter().any(|value| value.eq_ignore_ascii_case(&said.text())))
        });
        if !kept {
            return Ok(None);
        }
        let said =
            |columns: &[Columns]| columns.iter().map(|column| column.said(&record.cells)).find(|said| !said.is_empty());
        let Some(key) =
            self.key.iter().find_map(|column| column.said(&record.cells).first().map(|said| said.text().into_owned()))
        else {
            let column = self.key.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(" or ");
            let reason = "is empty: nothing tells which resource the row is".to_owned();
            return Err((String::new(), vec![Fault { column, reason, ..Fault::default() }]));
        };
        let line = usize::try_from(record.line).unwrap_or(usize::MAX);
        let mut faults = Vec::new();
        let mut documents: Vec<Option<Vec<(Name, Node)>>> = vec![None; self.kind.parts.len() + 1];
        documents[0] = Some(Vec::new());
        let mut given: Vec<&Target> = Vec::new();
        let learnt = self.by_name.iter().flat_map(HashMap::values).flatten();
        for Mapped { target, columns, reader } in self.fields.iter().chain(learnt) {
            let Some(said) = said(columns) else { continue };
            match reader.node(target, &said, line) {
                Ok(Some(node)) => {
                    insert(documents[target.of].get_or_insert_default(), &target.steps, node);
                    given.push(target);
                }
                Ok(None) => {}
                Err(reason) => faults.push(self.fault(target.path(self.kind), reason)),
            }
        }
        for Constant { target, node, beside } in &self.constants {
            let stands = |(of, steps): &(usize, Vec<String>)| {
                given.iter().any(|given| given.of == *of && given.steps.starts_with(steps))
            };
            if beside.as_ref().is_none_or(stands) {
                let node = Node { line, ..node.clone() };
                insert(documents[target.of].get_or_insert_default(), &target.steps, node);
            }
        }
        let id = self.keys.id(&key);
        let mut messages = Vec::with_capacity(documents.len());
        for (of, document) in documents.into_iter().enumerate() {
            let Some(fields) = document else {
                messages.push(None);
                continue;
            };
            match self.message(of, &Node { line, form: Form::Fields(fields) }) {
                Ok(message) => messages.push(Some(message)),
                Err(problems) => faults.extend(problems),
            }
        }
        if faults.is_empty() {
            self.complete(&key, &id, &mut messages);
            let links = messages.first_mut().and_then(Option::as_mut).map(|main| self.kind.take_added(main));
            Ok(Some(Row { line: record.line, key, id, messages, links: links.unwrap_or_default() }))
        } else {
            Err((key, faults))
        }
    }

    fn message(&self, of: usize, node: &Node) -> Result<DynamicMessage, Vec<Fault>> {
        let part = of.checked_sub(1).and_then(|of| self.kind.parts.get(of));
        let resource = part.map_or(self.kind.resource, |(part, _)| part.resource);
        let place = Place { workspace: &self.keys.workspace, zone: self.zone };
        read::message(&resource.message, node, &place).map_err(|problems| {
            let path = |field: String| if part.is_some() { format!("{}.{field}", resource.singular) } else { field };
            problems.into_iter().map(|Problem { field, text, .. }| self.fault(path(field), text)).collect()
        })
    }

    /// Names, the reference of parts to their resource, and the key where it is not the id.
    fn complete(&self, key: &str, id: &str, messages: &mut [Option<DynamicMessage>]) {
        messages.iter_mut().flatten().for_each(|message| self.keys.complete(message));
        let Some((Some(main), parts)) = messages.split_first_mut() else { return };
        let name = format!("workspaces/{}/{}/{id}", self.keys.workspace, self.kind.resource.collection);
        let display_name = main.get_field_by_name("display_name").and_then(|name| name.as_str().map(str::to_owned));
        let display_name = display_name.filter(|name| !name.is_empty()).unwrap_or_else(|| key.to_owned());
        for (message, (_, belongs)) in parts.iter_mut().zip(&self.kind.parts) {
            let Some(message) = message else { continue };
            message.set_field(belongs, Value::String(name.clone()));
            if !message.has_field_by_name("display_name") {
                message.set_field_by_name("display_name", Value::String(display_name.clone()));
            }
        }
        let is_name = key.starts_with("workspaces/");
        let labels = self.kind.resource.message.get_field_by_name("labels").filter(|_| key != id && !is_name);
        let fits = |field: &prost_reflect::FieldDescriptor| {
            waymark_proto::options().text(field).is_none_or(|limits| key.chars().count() <= limits.most as usize)
        };
        if let Some(Value::Map(labels)) = labels.filter(fits).map(|labels| main.get_field_mut(&labels)) {
            labels.entry(MapKey::String(LABEL.to_owned())).or_insert_with(|| Value::String(key.to_owned()));
        }
    }

    /// A fault of a field, with the column that goes there.
    pub fn fault(&self, field: String, reason: String) -> Fault {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        // The innermost that goes to it or to what is around it; else the first that goes to something within it.
        let of = |target: &Target| {
            let path = target.path(self.kind);
            within(&field, &path).then_some(path.len())
        };
        let all = || self.fields.iter().chain(self.by_name.iter().flat_map(HashMap::values).flatten());
        let around = all().max_by_key(|mapped| of(&mapped.target)).filter(|mapped| of(&mapped.target).is_some());
        let mapped = around.or_else(|| all().find(|mapped| within(&mapped.target.path(self.kind), &field)));
        let column = mapped.and_then(|mapped| mapped.columns.first()).map(|column| column.name.clone());
        Fault { column: column.unwrap_or_default(), field, reason }
    }

    /// Whether rows may name what a method of its own adds.
    pub fn has_links(&self) -> bool {
        let learnt = self.by_name.iter().flat_map(HashMap::values).flatten();
        self.fields.iter().chain(learnt).any(|mapped| mapped.target.is_added(self.kind))
    }

    /// Finds the fields that the members of an object are by their names.
    fn learn(&mut self, cells: &Cells) -> Result<(), String> {
        let (Some(known), Cells::Object(members)) = (&mut self.by_name, cells) else { return Ok(()) };
        for name in members.keys() {
            if !known.contains_key(name) {
                let mapped =
                    named(self.kind, name, &[], self.notation, self.zone).map_err(|error| error.to_string())?;
                known.insert(name.clone(), mapped);
            }
        }
        Ok(())
    }
}

/// The field that a column is by its name, if it is one that can be written.
fn named(kind: &Kind, name: &str, header: &[String], notation: Notation, zone: Tz) -> Result<Option<Mapped>> {
    let target = Target::new(kind, name).ok().filter(|target| !target.is_output_only(kind));
    let Some(target) = target else { return Ok(None) };
    let reader = Reader::new(&Spec::default(), notation, zone)?;
    Ok(Some(Mapped { target, columns: vec![Columns::new(name, header)], reader }))
}

/// The innermost message around a constant that columns give something of; none when the constant stands in any row.
fn beside(constant: &Target, fields: &[Mapped]) -> Option<(usize, Vec<String>)> {
    let least = usize::from(constant.of == 0);
    let around = (least..=constant.depth).rev().map(|length| &constant.steps[..length]);
    let mut around = around.filter(|steps| {
        fields.iter().any(|field| field.target.of == constant.of && field.target.steps.starts_with(steps))
    });
    around.next().map(|steps| (constant.of, steps.to_vec()))
}

/// Puts a value where the steps lead.
fn insert(into: &mut Vec<(Name, Node)>, steps: &[String], node: Node) {
    let Some((first, rest)) = steps.split_first() else { return };
    let line = node.line;
    let at = into.iter().position(|(name, _)| name.text == *first).unwrap_or_else(|| {
        into.push((Name { line, text: first.clone() }, Node { line, form: Form::Fields(Vec::new()) }));
        into.len() - 1
    });
    match (&mut into[at].1.form, node.form) {
        (Form::Fields(inner), form) if !rest.is_empty() => insert(inner, rest, Node { line, form }),
        (Form::Fields(inner), Form::Fields(more)) => inner.extend(more),
        (known, form) => *known = form,
    }
}
