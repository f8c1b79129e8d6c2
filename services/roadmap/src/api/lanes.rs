//! The lanes of the roadmap, a page of each: as it stands in the order of an index, as it stood in order of ids.

use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Error, Part, Range, View, resource};

use crate::store::{Initiatives, place};

/// The lanes, in order: the horizons, and what was decided not to be built. A place begins with one of them.
pub(super) const LANES: [&str; 4] = ["NOW", "NEXT", "LATER", "DECLINED"];
/// Initiatives of the past that are looked at for an answer, at most: what lane they were in is not known before.
const LOOKED_AT: u64 = 1_000;
/// Bytes of JSON of a lane, about, so that four of them fit into an answer.
const LANE_BYTES: i64 = 512 << 10;

/// Where a page of a lane ends: a place, or its lane alone where initiatives are in order of ids, and an id.
pub(super) type Key = (String, String);
pub(super) type Lane = Part<pb::Initiative, Key>;

/// What of the roadmap to read.
pub(super) struct Lanes<'a> {
    /// Only initiatives of this product; all when empty.
    pub product: &'a str,
    /// Initiatives of a lane at most.
    pub size: usize,
    /// Where the page before ended; the first page of each lane when there is none.
    pub after: Option<Key>,
}

impl Lanes<'_> {
    /// Pages of the lanes as they stand: by place, then id.
    pub(super) async fn now(&self, view: &View) -> Result<[Lane; 4], Error> {
        let mut lanes = LANES.map(|_| Lane { items: Vec::new(), next: None });
        for (name, lane) in LANES.into_iter().zip(&mut lanes).filter(|(name, _)| self.wants(name)) {
            let first = (format!("{name} "), String::new());
            let (place, id) = self.after.as_ref().unwrap_or(&first);
            let range = Range {
                column: "place",
                after: (place, id),
                // What follows the space.
                below: &format!("{name}!"),
                only: (!self.product.is_empty()).then_some(("product", self.product)),
                size: self.size,
                bytes: LANE_BYTES,
            };
            *lane = view.range::<Initiatives>(range).await?;
        }
        Ok(lanes)
    }

    /// Pages of the lanes as they stood, which follow one another in order of ids. Each is by itself in the order of
    /// places.
    pub(super) async fn then(&self, view: &View) -> Result<[Lane; 4], Error> {
        let after = self.after.as_ref().map_or("", |(_, id)| id);
        let part = view.part::<Initiatives>(after, LOOKED_AT).await?;
        let mut placed = LANES.map(|_| Vec::<(String, pb::Initiative)>::new());
        let mut ends: [Option<String>; 4] = LANES.map(|_| part.next.clone());
        for message in part.items {
            if !self.product.is_empty() && message.product != self.product {
                continue;
            }
            let place = place(&resource::<Initiatives>(message.clone())?);
            let lane = LANES.iter().position(|name| lane_of(&place) == *name && self.wants(name));
            let Some(lane) = lane else { continue };
            match placed[lane].last() {
                Some((_, last)) if placed[lane].len() == self.size => ends[lane] = Some(id_of(last).to_owned()),
                _ => placed[lane].push((place, message)),
            }
        }
        let mut lane = 0..;
        Ok(placed.map(|mut placed| {
            let lane = lane.next().unwrap_or_default();
            placed.sort_by(|(a, first), (b, second)| (a, &first.name).cmp(&(b, &second.name)));
            let next = ends[lane].take().filter(|_| self.wants(LANES[lane]));
            let next = next.map(|id| (LANES[lane].to_owned(), id));
            Lane { items: placed.into_iter().map(|(_, message)| message).collect(), next }
        }))
    }

    fn wants(&self, lane: &str) -> bool {
        self.after.as_ref().is_none_or(|(place, _)| lane_of(place) == lane)
    }
}

/// The lane of a place.
pub(super) fn lane_of(place: &str) -> &str {
    place.split(' ').next().unwrap_or(place)
}

fn id_of(initiative: &pb::Initiative) -> &str {
    initiative.name.rsplit('/').next().unwrap_or_default()
}
