//! What products were said to be for, from the log. Reads only.

use waymark_domain::Name;
use waymark_domain::roadmap::Product;
use waymark_proto::convert::timestamp;
use waymark_proto::roadmap::v1 as pb;
use waymark_request::PageToken;
use waymark_request::page::{self, PageError};
use waymark_rpc::parse;
use waymark_store::{Error, LogRow};

use super::Api;
use crate::store::Products;

impl Api {
    pub(super) async fn product_versions(
        &self,
        request: pb::ListProductVersionsRequest,
    ) -> Result<pb::ListProductVersionsResponse, Error> {
        let name: Name<Product> = parse("name", &request.name)?;
        let size = page::size(request.page_size)?;
        let parts = ["product versions", request.name.as_str()];
        let before = PageToken::decode(&request.page_token, &parts, 2)?.as_ref().map(place).transpose()?;
        // That it exists, as what has no event may be no product or one whose log is trimmed.
        self.store.get::<Products>(&request.name).await?;
        // With the one before them, which tells what the last of them changed.
        let (rows, more) = self.store.events_of::<Products>(&name, before, size + 1).await?;
        let told: Vec<pb::ProductVersion> = rows.iter().map(version).collect::<Result<_, Error>>()?;
        let shown = if more || rows.len() > size { rows.len() - 1 } else { rows.len() };
        let is_change = |index: usize| told.get(index + 1).is_none_or(|older| texts(older) != texts(&told[index]));
        let next = rows.get(shown.wrapping_sub(1)).filter(|_| shown < rows.len());
        let token = |last: &LogRow| {
            let key = [last.revision, last.ordinal.into()].map(|number| Some(number.to_string()));
            PageToken::after(&parts, key.into()).encode()
        };
        Ok(pb::ListProductVersionsResponse {
            versions: (0..shown).filter(|index| is_change(*index)).map(|index| told[index].clone()).collect(),
            next_page_token: next.map(token).unwrap_or_default(),
        })
    }
}

/// The event that a page begins before.
fn place(token: &PageToken) -> Result<(i64, i32), PageError> {
    match token.key.as_slice() {
        [Some(revision), Some(ordinal)] => {
            let (revision, ordinal) = (revision.parse().ok(), ordinal.parse().ok());
            revision.zip(ordinal).ok_or(PageError::Damaged)
        }
        _ => Err(PageError::Damaged),
    }
}

/// What an event of a product says of what it is for.
fn version(row: &LogRow) -> Result<pb::ProductVersion, Error> {
    // All events of a product are alike.
    let event: pb::ProductUpdated = serde_json::from_str(&row.data).map_err(Error::bug)?;
    let pb::Product { vision, strategy, positioning, .. } = event.product.unwrap_or_default();
    let (revision, time, actor) = (row.revision, Some(timestamp(row.time)), row.actor.clone());
    Ok(pb::ProductVersion { vision, strategy, positioning, revision, time, actor })
}

fn texts(version: &pb::ProductVersion) -> [&str; 3] {
    [&version.vision, &version.strategy, &version.positioning]
}
