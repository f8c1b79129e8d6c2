//! The initiatives of lanes, a page of each: as they stand by an index, as they stood in order of ids.

use prost::Message as _;
use waymark_proto::Sight;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Coming, Common, Error, Part, Range, View};

use super::grouping::{Lane, Members, start};
use crate::store::{DECLINED, Initiatives, OWNER, PLACE, PRODUCT, START, STATE, UNDATED};

/// Initiatives that are looked at for an answer at most, where no index tells which are in a lane.
const LOOKED_AT: u64 = 1_000;
/// So many of them at once, where it may be enough.
const STRETCH: u64 = 200;
/// Bytes of all lanes of an answer, about. Clients of gRPC take twice as much unless told otherwise.
const BYTES: usize = 2 << 20;

/// Where a page of a lane ends: a value of the column that it is in the order of, or nothing where it is in order of ids, and
/// an id.
pub(super) type Key = (String, String);
pub(super) type Page = Part<pb::Initiative, Key>;

/// What was found of a lane: its page, or what is made into one while the next lane is read.
enum Found {
    Page(Page),
    Coming(Coming<pb::Initiative>, Option<String>),
}

/// What of lanes to read.
pub(super) struct Reading<'a> {
    /// Only initiatives of this product; all when empty.
    pub product: &'a str,
    /// Initiatives of a lane at most.
    pub size: usize,
    /// Bytes of a lane at most, about.
    bytes: usize,
    /// Where the page before ended, if there is one.
    pub after: Option<Key>,
}

impl<'a> Reading<'a> {
    /// Of so many lanes.
    pub(super) fn of(lanes: usize, product: &'a str, size: usize, after: Option<Key>) -> Self {
        Self { product, size, bytes: BYTES / lanes.max(1), after }
    }

    /// Pages of lanes as they stand.
    pub(super) async fn now(&self, view: &View, lanes: &[&Lane]) -> Result<Vec<Page>, Error> {
        let mut coming = Vec::with_capacity(lanes.len());
        for lane in lanes {
            coming.push(self.of_lane(view, lane).await?);
        }
        let mut pages = Vec::with_capacity(lanes.len());
        for lane in coming {
            pages.push(match lane {
                Found::Page(page) => page,
                Found::Coming(items, next) => page(items.all().await?, next),
            });
        }
        Ok(pages)
    }

    async fn of_lane(&self, view: &View, lane: &Lane) -> Result<Found, Error> {
        let page = match &lane.members {
            Members::Declined => self.range(view, PLACE, format!("{DECLINED} "), format!("{DECLINED}!")).await,
            Members::Horizon(horizon) => {
                let horizon = horizon.as_str_name().trim_start_matches("HORIZON_");
                // What follows the space.
                self.range(view, PLACE, format!("{horizon} "), format!("{horizon}!")).await
            }
            Members::Starting(from, before) => self.range(view, START, from.clone(), before.clone()).await,
            Members::Undated => self.range(view, START, UNDATED.to_owned(), format!("{UNDATED}~")).await,
            Members::Product(product) if !self.product.is_empty() && product != self.product => {
                Ok(Part { items: Vec::new(), next: None })
            }
            Members::Product(product) => return self.common(view, Common::Value(PRODUCT, set(product))).await,
            Members::Owner(owner) => return self.common(view, Common::Value(OWNER, set(owner))).await,
            Members::Labelled(key, value) => return self.common(view, Common::Label(key, value)).await,
            Members::Serving(key_results) => {
                let targets: Vec<String> = key_results.iter().map(|name| local(name)).collect();
                return self.common(view, Common::Reference("key_results", &targets)).await;
            }
            Members::Unlabelled(_) | Members::Unaligned => self.missing(view, lane).await,
        };
        page.map(Found::Page)
    }

    /// Pages of lanes as they stood, which follow one another in order of ids.
    pub(super) async fn then(&self, view: &View, lanes: &[&Lane]) -> Result<Vec<Page>, Error> {
        let part = view.part::<Initiatives>(self.behind(), LOOKED_AT).await?;
        let mut filling: Vec<Filling> = lanes.iter().map(|_| Filling::default()).collect();
        for initiative in &part.items {
            for (lane, filling) in lanes.iter().zip(&mut filling) {
                filling.offer(self, lane, initiative);
            }
        }
        Ok(filling.into_iter().map(|filling| filling.page(part.next.clone())).collect())
    }

    /// Pages of lanes of what an audience sees, now or then, which follow one another in order of ids. Which lane an initiative is in,
    /// and where, is told by what is seen of it: by its quarter, where that is seen, though its month is kept.
    pub(super) async fn seen(&self, view: &View, lanes: &[&Lane], sight: &Sight) -> Result<Vec<Page>, Error> {
        let mut filling: Vec<Filling> = lanes.iter().map(|_| Filling::default()).collect();
        let (mut behind, mut looked_at) = (self.behind().to_owned(), 0);
        loop {
            let part = view.seen::<Initiatives>(sight, &behind, STRETCH as usize).await?;
            for initiative in &part.items {
                for (lane, filling) in lanes.iter().zip(&mut filling) {
                    filling.offer(self, lane, initiative);
                }
            }
            looked_at += STRETCH;
            match part.next {
                Some(next) if looked_at < LOOKED_AT && filling.iter().any(|lane| lane.end.is_none()) => behind = next,
                next => return Ok(filling.into_iter().map(|filling| filling.page(next.clone())).collect()),
            }
        }
    }

    /// Those of a lane that have nothing of its kind, which no index tells: by looking at all in order of ids.
    async fn missing(&self, view: &View, lane: &Lane) -> Result<Page, Error> {
        let (mut filling, mut behind, mut looked_at) = (Filling::default(), self.behind().to_owned(), 0);
        loop {
            let part = view.part::<Initiatives>(&behind, STRETCH).await?;
            for initiative in &part.items {
                filling.offer(self, lane, initiative);
            }
            looked_at += STRETCH;
            match part.next {
                Some(next) if filling.end.is_none() && looked_at < LOOKED_AT => behind = next,
                next => return Ok(filling.page(next)),
            }
        }
    }

    async fn range(&self, view: &View, column: &'static str, from: String, below: String) -> Result<Page, Error> {
        let first = (from, String::new());
        let (value, id) = self.after.as_ref().unwrap_or(&first);
        let range = Range {
            column,
            after: (value, id),
            below: &below,
            only: set(self.product).map(|product| (PRODUCT, product)),
            size: self.size,
            bytes: self.bytes as i64,
        };
        view.range::<Initiatives>(range).await
    }

    async fn common(&self, view: &View, common: Common<'_>) -> Result<Found, Error> {
        let members = waymark_store::Members {
            common,
            only: set(self.product).map(|product| (PRODUCT, product)),
            unless: (STATE, DECLINED),
            after: self.behind(),
            size: self.size,
            bytes: self.bytes as i64,
        };
        let (items, next) = view.members::<Initiatives>(members).await?;
        Ok(Found::Coming(items, next))
    }

    /// The id that a page begins behind.
    fn behind(&self) -> &str {
        self.after.as_ref().map_or("", |(_, id)| id)
    }
}

/// A page that is being filled, in order of ids.
#[derive(Default)]
struct Filling {
    items: Vec<pb::Initiative>,
    bytes: usize,
    /// The last id on it, once there is one for which there is no room.
    end: Option<String>,
}

impl Filling {
    fn offer(&mut self, reading: &Reading<'_>, lane: &Lane, initiative: &pb::Initiative) {
        let wanted = reading.product.is_empty() || initiative.product == reading.product;
        if self.end.is_some() || !wanted || !lane.members.hold(initiative) {
            return;
        }
        if let Some(last) = self.items.last()
            && (self.items.len() == reading.size || self.bytes >= reading.bytes)
        {
            self.end = Some(id_of(last).to_owned());
            return;
        }
        self.bytes += initiative.encoded_len();
        self.items.push(initiative.clone());
    }

    fn page(self, looked_at: Option<String>) -> Page {
        page(self.items, self.end.or(looked_at))
    }
}

/// A page of those that follow one another by name, which is in the order of lanes by itself.
fn page(mut items: Vec<pb::Initiative>, next: Option<String>) -> Page {
    let key = |initiative: &pb::Initiative| {
        let day = start(initiative).filter(|_| initiative.state() != pb::InitiativeState::Declined);
        (day.unwrap_or_else(|| UNDATED.to_owned()), initiative.name.clone())
    };
    items.sort_by_cached_key(key);
    Part { items, next: next.map(|id| (String::new(), id)) }
}

/// A text that is there.
fn set(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A name without its workspace, as links have it.
fn local(name: &str) -> String {
    name.splitn(3, '/').nth(2).unwrap_or_default().to_owned()
}

fn id_of(initiative: &pb::Initiative) -> &str {
    initiative.name.rsplit('/').next().unwrap_or_default()
}
