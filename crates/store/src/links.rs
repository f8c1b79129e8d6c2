//! Links: what refers to what. Each reference of a live resource to another is a row, written with the resource; which
//! fields refer is the contract's to say. What follows from them is in `integrity`.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::DbBackend;
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _};
use waymark_domain::{AnyName, FullName, Resource};
use waymark_proto::ResourceMessage;
use waymark_proto::links::{LinkField, table};

use crate::statement::one_of;
use crate::table::Collection;
use crate::{Error, Table};

/// References by field and target, as the table keeps them.
pub(crate) type Links = BTreeMap<(&'static str, String), Link>;

/// A resource of the same service and workspace, by table and id.
pub(crate) type Target = (String, String);

/// The field that refers, and the name of what it refers to.
#[derive(Clone)]
pub(crate) struct Dangling {
    field: &'static str,
    resource: String,
    /// Where it is looked for.
    pub(crate) table: &'static str,
    /// Another service keeps it.
    mirrored: bool,
}

/// One of them.
#[derive(Clone)]
pub(crate) struct Link {
    pub field: &'static LinkField,
    pub target: FullName,
}

/// What is to be looked at when a write has done its work.
#[derive(Default)]
pub(crate) struct Integrity {
    /// What must exist, and what to say when it does not.
    pub(crate) referred: BTreeMap<Target, Dangling>,
    /// What is gone, hence must not be referred to.
    pub(crate) deleted: Vec<AnyName>,
    /// References that must not close a cycle: by field, from one to another.
    pub(crate) chained: Vec<(&'static str, String, String)>,
    /// Resources of other services of which nothing is known here.
    pub(crate) unverified: BTreeSet<String>,
}

/// What a live resource refers to.
pub(crate) fn of<T: Table>(message: &T::Message) -> Result<Links, Error> {
    let mut links = Links::new();
    if message.standard().delete_time.is_some() {
        return Ok(links);
    }
    let mut wrong = None;
    message.links(&mut |field, value| {
        if value.is_empty() {
            return;
        }
        match field.target(T::Resource::SERVICE, value) {
            Ok(target) => {
                let key = key(T::KEEPER, &target);
                links.insert((field.path, key), Link { field, target });
            }
            Err(error) => wrong = Some(error),
        }
    });
    // Names were checked when the resource was parsed.
    wrong.map_or(Ok(links), |error| Err(Error::bug(error)))
}

/// How a target is written in the table: `products/app`, or `//metrics/metrics/orders` in another service.
pub(crate) fn key(service: &str, target: &FullName) -> String {
    let AnyName { collection, id, .. } = &target.name;
    let local = format!("{collection}/{id}");
    if target.service == service { local } else { format!("//{}/{local}", target.service) }
}

/// What stands before the ids of a table's resources where they refer: `products/`, or of a mirror
/// `//metrics/metrics/`.
pub(crate) fn prefix<T: Table>() -> String {
    let (service, collection) = (T::Resource::SERVICE, T::Resource::COLLECTION);
    if T::KEEPER == service { format!("{collection}/") } else { format!("//{service}/{collection}/") }
}

/// Links of a referrer as the statements take them: target, field, referrer, and whether the target must not be deleted.
/// Those that must not lead back are followed from their referrers, so they are kept the other way round, too. What
/// refers from another service holds nothing here, and is followed there.
pub(crate) fn json(referrer: &str, links: &Links) -> String {
    let mut rows = Vec::with_capacity(links.len());
    let mirrored = referrer.starts_with("//");
    for ((path, target), Link { field, .. }) in links {
        let holds = if !mirrored && holds(field) { "1" } else { "0" };
        rows.push(serde_json::json!([target, path, referrer, holds]));
        if field.acyclic && !mirrored {
            rows.push(serde_json::json!([referrer, back(path), target, "0"]));
        }
    }
    serde_json::Value::Array(rows).to_string()
}

/// Whether what a field refers to must not be deleted, where it is of the same service.
pub(crate) fn holds(field: &LinkField) -> bool {
    !field.keeps && !field.unverified
}

/// What links of a field are called where they are kept the other way round.
pub(crate) fn back(field: &str) -> String {
    format!("~{field}")
}

/// The rows of all links of referrers, whichever way round.
pub(crate) fn of_referrers<'a>(backend: DbBackend, referrers: impl Iterator<Item = &'a str> + Clone) -> Condition {
    let kept_back = || Expr::col("field").like("~%");
    Condition::any()
        .add(one_of(backend, "referrer", referrers.clone()).and(kept_back().not()))
        .add(one_of(backend, "target", referrers).and(kept_back()))
}

impl From<Dangling> for Error {
    fn from(Dangling { field, resource, .. }: Dangling) -> Self {
        Self::Reference { field, resource }
    }
}

impl Dangling {
    /// Whether the reference may stand where its target is live, deleted (false) or not there. What another service
    /// keeps may not have been heard of yet.
    pub(crate) fn stands(&self, live: Option<bool>) -> bool {
        live.unwrap_or(self.mirrored)
    }

    /// The name of what is referred to, where it was looked for in vain and the reference stands.
    pub(crate) fn unverified(&self, live: Option<bool>) -> Option<String> {
        (self.mirrored && live.is_none()).then(|| self.resource.clone())
    }
}

impl Integrity {
    /// Notes a reference that a resource has got. What other services keep is looked up in `mirrors`, not at all without.
    pub(crate) fn refers(
        &mut self,
        service: &str,
        from: &AnyName,
        link: &Link,
        mirrors: Option<&[Collection]>,
    ) -> Result<(), Error> {
        let Link { field, target } = link;
        let own = target.service == service;
        let resource = if own { target.name.to_string() } else { target.to_string() };
        let dangling = Dangling { field: field.path, resource, table: "", mirrored: !own };
        if target.name.workspace != from.workspace {
            return Err(dangling.into());
        }
        if field.unverified {
            return Ok(());
        }
        let AnyName { collection, id, .. } = &target.name;
        let table = if own {
            // In a collection that the service does not have, nothing is.
            table(service, collection).ok_or_else(|| dangling.clone())?
        } else {
            // What the service itself sets tells of what was, and may be gone there.
            let (true, Some(mirrors)) = (field.given, mirrors) else { return Ok(()) };
            let Some(mirror) = mirrors.iter().find(|of| of.service == target.service && of.name == *collection) else {
                self.unverified.insert(dangling.resource);
                return Ok(());
            };
            mirror.table
        };
        self.referred.insert((table.to_owned(), id.to_string()), Dangling { table, ..dangling });
        if own && field.acyclic {
            self.chained.push((field.path, format!("{}/{}", from.collection, from.id), format!("{collection}/{id}")));
        }
        Ok(())
    }

    /// Notes that a resource is gone.
    pub(crate) fn deletes(&mut self, name: AnyName) {
        self.deleted.push(name);
    }
}
