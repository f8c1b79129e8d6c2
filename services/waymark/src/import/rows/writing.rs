//! Resources are made, and those that are there are brought to what their rows say. Ids come from the rows, so doing it
//! again makes nothing twice; what is as its row says is not written.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, ReflectMessage as _, Value};
use tonic::Code;
use waymark_client::{Channel, Error};
use waymark_proto::common::v1::RowFailure;

use super::kind::Kind;
use super::same::says;
use crate::generic::call;
use crate::generic::contract::Method;

/// Calls of a setter under way at once: the service commits several together.
const AT_ONCE: usize = 8;

/// A resource as its row has it.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub id: &'a str,
    pub message: &'a DynamicMessage,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Made,
    Updated,
    Unchanged,
    Refused(Refusal),
}

/// Why a resource is refused.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Refusal {
    /// What is wrong with which field of it; at least one.
    pub faults: Vec<(String, String)>,
    /// What it refers to and is not there.
    pub missing: Option<String>,
    /// Whether the resource itself is there.
    pub is_there: bool,
}

/// Writes resources of a collection.
pub struct Writer<'a> {
    pub kind: &'a Kind,
    pub channel: Channel,
    /// `workspaces/{workspace}`.
    pub parent: String,
    /// Whether all is checked and nothing changed.
    pub validate_only: bool,
}

/// A resource that is there and not what its row says.
struct Differing<'a> {
    index: usize,
    wanted: Wanted<'a>,
    current: DynamicMessage,
    /// The fields that differ and are updated, and those that have a method of their own.
    fields: Vec<FieldDescriptor>,
    own: Vec<(FieldDescriptor, &'static Method)>,
}

impl Writer<'_> {
    /// The name of an id.
    pub fn name(&self, id: &str) -> String {
        format!("{}/{}/{id}", self.parent, self.kind.resource.collection)
    }

    /// Makes what is not there and updates what differs, in their order.
    pub async fn write(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Outcome>> {
        let requests: Vec<DynamicMessage> =
            wanted.iter().map(|wanted| self.creation(*wanted)).collect::<Result<_>>()?;
        let mut outcomes = Vec::with_capacity(wanted.len());
        let mut there = Vec::new();
        for (index, created) in self.batch(self.kind.create, &requests).await?.into_iter().enumerate() {
            outcomes.push(match created {
                Ok(_) => Outcome::Made,
                Err(failure) if failure.code == Code::AlreadyExists as i32 => {
                    there.push(index);
                    Outcome::Unchanged
                }
                Err(failure) => Outcome::Refused(self.refusal(failure)),
            });
        }
        let names: Vec<String> = there.iter().map(|index| self.name(wanted[*index].id)).collect();
        let mut differing = Vec::new();
        for (index, current) in there.into_iter().zip(self.current(&names).await?) {
            if current.has_field_by_name("delete_time") {
                let reason = format!("is deleted; waymark {} undelete brings it back", self.kind.resource.command);
                outcomes[index] =
                    Outcome::Refused(Refusal { faults: vec![("name".to_owned(), reason)], ..Refusal::default() });
            } else if let Some(found) = self.differing(index, wanted[index], current) {
                differing.push(found);
            }
        }
        self.refuse_by_own_methods(&mut differing, &mut outcomes).await?;
        self.update(&differing, &mut outcomes).await?;
        if !self.validate_only {
            let set = |outcome| !matches!(outcome, &Outcome::Refused(_));
            let left = differing.iter().filter(|found| set(&outcomes[found.index])).collect::<Vec<_>>();
            let answered: Vec<Vec<Refusal>> =
                stream::iter(left.iter().map(|found| self.set(found, false))).buffered(AT_ONCE).try_collect().await?;
            for (found, refused) in left.iter().zip(answered) {
                if let Some(refusal) = refused.into_iter().next() {
                    outcomes[found.index] = Outcome::Refused(refusal);
                }
            }
        }
        Ok(outcomes)
    }

    fn creation(&self, wanted: Wanted<'_>) -> Result<DynamicMessage> {
        let mut request = new(&row_of(self.kind.create)?);
        let singular = &self.kind.resource.singular;
        set(&mut request, &format!("{singular}_id"), Value::String(wanted.id.to_owned()))?;
        set(&mut request, singular, Value::Message(wanted.message.clone()))?;
        Ok(request)
    }

    /// What of a resource is not as its row says, if anything is.
    fn differing<'a>(&self, index: usize, wanted: Wanted<'a>, current: DynamicMessage) -> Option<Differing<'a>> {
        let differs = |(field, value): (FieldDescriptor, &Value)| {
            (!says(&current.get_field(&field), value, current.has_field(&field))).then_some(field)
        };
        let all: Vec<FieldDescriptor> = wanted.message.fields().filter_map(differs).collect();
        let setter = |field: &FieldDescriptor| self.kind.setters.get(field.name()).copied();
        let own = all.iter().filter_map(|field| Some((field.clone(), setter(field)?))).collect();
        let fields: Vec<FieldDescriptor> = all.iter().filter(|field| setter(field).is_none()).cloned().collect();
        (!all.is_empty()).then_some(Differing { index, wanted, current, fields, own })
    }

    /// Asks first whether fields with a method of their own can be set, so that no resource is changed by half.
    async fn refuse_by_own_methods(&self, differing: &mut Vec<Differing<'_>>, outcomes: &mut [Outcome]) -> Result<()> {
        let asked: Vec<Vec<Refusal>> =
            stream::iter(differing.iter().map(|found| self.set(found, true))).buffered(AT_ONCE).try_collect().await?;
        for (found, refused) in differing.iter().zip(asked) {
            outcomes[found.index] = match refused.into_iter().next() {
                Some(refusal) => Outcome::Refused(refusal),
                None => Outcome::Updated,
            };
        }
        differing.retain(|found| !matches!(outcomes[found.index], Outcome::Refused(_)));
        Ok(())
    }

    async fn set(&self, found: &Differing<'_>, validate_only: bool) -> Result<Vec<Refusal>> {
        let mut refused = Vec::new();
        for (field, method) in &found.own {
            let mut request = new(&method.descriptor.input());
            set(&mut request, "name", Value::String(self.name(found.wanted.id)))?;
            set(&mut request, field.name(), found.wanted.message.get_field(field).into_owned())?;
            set(&mut request, "validate_only", Value::Bool(validate_only))?;
            match call::unary(&self.channel, method, request).await {
                Ok(_) => {}
                Err(error) if is_of_the_row(&error) => refused.push(self.refusal(failure(&error))),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(refused)
    }

    async fn update(&self, differing: &[Differing<'_>], outcomes: &mut [Outcome]) -> Result<()> {
        let updated: Vec<&Differing<'_>> = differing.iter().filter(|found| !found.fields.is_empty()).collect();
        let requests: Vec<DynamicMessage> = updated.iter().map(|found| self.change(found)).collect::<Result<_>>()?;
        for (found, answer) in updated.iter().zip(self.batch(self.kind.update, &requests).await?) {
            outcomes[found.index] = match answer {
                // The service may hold for the same what is written otherwise.
                Ok(answer) if found.own.is_empty() && is_as_before(&found.current, &answer) => Outcome::Unchanged,
                Ok(_) => Outcome::Updated,
                Err(failure) => Outcome::Refused(Refusal { is_there: true, ..self.refusal(failure) }),
            };
        }
        Ok(())
    }

    /// The request that brings a resource to what its row says: labels beside those it has, all else as the row has it.
    fn change(&self, found: &Differing<'_>) -> Result<DynamicMessage> {
        let mut resource = new(&self.kind.resource.message);
        set(&mut resource, "name", Value::String(self.name(found.wanted.id)))?;
        if let Some(etag) = found.current.get_field_by_name("etag") {
            set(&mut resource, "etag", etag.into_owned())?;
        }
        for field in &found.fields {
            let mut value = found.wanted.message.get_field(field).into_owned();
            if let (Value::Map(new), Value::Map(old)) = (&mut value, found.current.get_field(field).as_ref()) {
                for (key, value) in old {
                    new.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            resource.set_field(field, value);
        }
        let mut request = new(&row_of(self.kind.update)?);
        let mask = request.descriptor().get_field_by_name("update_mask").context("an update without a mask")?;
        let mut named = new(mask.kind().as_message().context("a mask that is none")?);
        let paths = found.fields.iter().map(|field| Value::String(field.name().to_owned())).collect();
        set(&mut named, "paths", Value::List(paths))?;
        request.set_field(&mask, Value::Message(named));
        set(&mut request, &self.kind.resource.singular, Value::Message(resource))?;
        Ok(request)
    }

    /// The resources of names.
    pub async fn current(&self, names: &[String]) -> Result<Vec<DynamicMessage>> {
        let mut found = Vec::with_capacity(names.len());
        let mut waiting = vec![names];
        while let Some(names) = waiting.pop() {
            if names.is_empty() {
                continue;
            }
            let mut request = new(&self.kind.get.descriptor.input());
            set(&mut request, "parent", Value::String(self.parent.clone()))?;
            set(&mut request, "names", Value::List(names.iter().cloned().map(Value::String).collect()))?;
            match call::unary(&self.channel, self.kind.get, request).await {
                Ok(mut answer) => found.append(&mut messages(&mut answer)?),
                // They may be too large together.
                Err(error) if error.code() == Code::InvalidArgument && names.len() > 1 => halve(&mut waiting, names),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }

    /// The resources of those of names that there are.
    pub async fn existing(&self, names: &[String]) -> Result<Vec<DynamicMessage>> {
        let missing = |error: &anyhow::Error| {
            error.downcast_ref::<Error>().is_some_and(|error: &Error| error.code() == Code::NotFound)
        };
        let (mut found, mut waiting) = (Vec::new(), vec![names]);
        while let Some(names) = waiting.pop() {
            match self.current(names).await {
                Ok(mut these) => found.append(&mut these),
                // One that is not there is no reason not to be given the others.
                Err(error) if missing(&error) && names.len() > 1 => halve(&mut waiting, names),
                Err(error) if missing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The answers to the requests of a batch. What the service refuses as a whole is asked by halves, down to the one
    /// that is at fault.
    async fn batch(
        &self,
        method: &'static Method,
        requests: &[DynamicMessage],
    ) -> Result<Vec<std::result::Result<DynamicMessage, RowFailure>>> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut waiting = vec![requests];
        while let Some(requests) = waiting.pop() {
            if requests.is_empty() {
                continue;
            }
            let mut request = new(&method.descriptor.input());
            set(&mut request, "parent", Value::String(self.parent.clone()))?;
            set(&mut request, "requests", Value::List(requests.iter().cloned().map(Value::Message).collect()))?;
            set(&mut request, "partial", Value::Bool(true))?;
            set(&mut request, "validate_only", Value::Bool(self.validate_only))?;
            match call::unary(&self.channel, method, request).await {
                Ok(mut answer) => {
                    let mut failures = failures(&answer)?;
                    let rows = messages(&mut answer)?.into_iter().enumerate();
                    answers.extend(rows.map(|(index, message)| failures.remove(&index).map_or(Ok(message), Err)));
                }
                Err(error) if is_of_the_row(&error) && requests.len() > 1 => halve(&mut waiting, requests),
                Err(error) if is_of_the_row(&error) => answers.push(Err(failure(&error))),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(answers)
    }

    pub fn refusal(&self, failure: RowFailure) -> Refusal {
        let RowFailure { reason, message, violations, metadata, .. } = failure;
        let missing = (reason == "REFERENCE_NOT_FOUND").then(|| metadata.get("resource").cloned()).flatten();
        if let (Some(field), Some(missing)) = (metadata.get("field"), &missing) {
            return Refusal {
                faults: vec![(field.clone(), format!("{missing} does not exist"))],
                missing: Some(missing.clone()),
                is_there: false,
            };
        }
        let within = format!("{}.", self.kind.resource.singular);
        let is_field = reason == "INVALID_FIELD";
        let fault = |field: String, description| {
            let field = field.rsplit_once(&within).map_or(field.as_str(), |(_, field)| field).to_owned();
            (if is_field { field } else { String::new() }, description)
        };
        let mut faults: Vec<_> = violations.into_iter().map(|it| fault(it.field, it.description)).collect();
        if faults.is_empty() {
            faults.push((String::new(), message));
        }
        Refusal { faults, missing, is_there: false }
    }
}

pub fn new(of: &MessageDescriptor) -> DynamicMessage {
    DynamicMessage::new(of.clone())
}

pub fn set(message: &mut DynamicMessage, field: &str, value: Value) -> Result<()> {
    let of = message.descriptor();
    let field = of.get_field_by_name(field).with_context(|| format!("{} has no field {field}", of.full_name()))?;
    Ok(message.try_set_field(&field, value)?)
}

/// The message of one request of a batch.
fn row_of(method: &Method) -> Result<MessageDescriptor> {
    let rows = method.descriptor.input().get_field_by_name("requests").context("a batch without requests")?;
    rows.kind().as_message().cloned().context("requests that are no messages")
}

/// The resources of an answer.
fn messages(answer: &mut DynamicMessage) -> Result<Vec<DynamicMessage>> {
    let list = answer.descriptor().fields().find(FieldDescriptor::is_list).context("the answer has no list")?;
    let items = answer.get_field_mut(&list).as_list_mut().map(std::mem::take).unwrap_or_default();
    Ok(items
        .into_iter()
        .filter_map(|item| match item {
            Value::Message(message) => Some(message),
            _ => None,
        })
        .collect())
}

fn failures(answer: &DynamicMessage) -> Result<BTreeMap<usize, RowFailure>> {
    let all = answer.get_field_by_name("failures").context("the answer has no failures")?;
    let mut failures = BTreeMap::new();
    for (index, failure) in all.as_map().into_iter().flatten() {
        let index = index.as_i32().and_then(|index| usize::try_from(index).ok()).context("no index")?;
        let bytes = failure.as_message().context("no failure")?.encode_to_vec();
        failures.insert(index, RowFailure::decode(bytes.as_slice())?);
    }
    Ok(failures)
}

fn halve<'a, T>(waiting: &mut Vec<&'a [T]>, rows: &'a [T]) {
    let (first, second) = rows.split_at(rows.len() / 2);
    // The last is taken first.
    waiting.extend([second, first]);
}

/// Whether a failure is about what was asked, so that another row may fare better. An overload asks to wait; a message
/// that is too large does not.
pub fn is_of_the_row(error: &Error) -> bool {
    match error.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange => true,
        Code::ResourceExhausted => error.retry_after().is_none(),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => false,
    }
}

/// The failure of a request by itself, as a batch would tell it.
pub fn failure(error: &Error) -> RowFailure {
    let violations = error.violations().iter().map(|it| waymark_proto::common::v1::FieldViolation {
        field: it.field.clone(),
        description: it.description.clone(),
    });
    let metadata =
        ["field", "resource"].into_iter().filter_map(|key| Some((key.to_owned(), error.metadata(key)?.to_owned())));
    RowFailure {
        code: error.code() as i32,
        message: error.message().to_owned(),
        reason: error.reason().to_owned(),
        violations: violations.collect(),
        metadata: metadata.collect(),
    }
}

/// Whether a resource is what it was, but for its version.
fn is_as_before(before: &DynamicMessage, after: &DynamicMessage) -> bool {
    let versions = ["etag", "update_time"];
    let of = before.descriptor();
    let mut fields = of.fields().filter(|field| !versions.contains(&field.name()));
    fields.all(|field| {
        before.has_field(&field) == after.has_field(&field) && before.get_field(&field) == after.get_field(&field)
    })
}
