//! What products were said to be for, from the log. Reads only.

use waymark_domain::Name;
use waymark_domain::roadmap::Product;
use waymark_proto::convert::timestamp;
use waymark_proto::roadmap::v1 as pb;
use waymark_rpc::parse;
use waymark_store::{Error, LogRow};

use super::Api;
use super::versions::Asked;
use crate::store::Products;

impl Api {
    pub(super) async fn product_versions(
        &self,
        request: pb::ListProductVersionsRequest,
    ) -> Result<pb::ListProductVersionsResponse, Error> {
        let name: Name<Product> = parse("name", &request.name)?;
        let pb::ListProductVersionsRequest { name: text, page_size, page_token } = &request;
        let asked = Asked { parts: &["product versions", text], page_size: *page_size, page_token };
        let same = |older: &pb::ProductVersion, version: &pb::ProductVersion| texts(older) == texts(version);
        let (versions, next_page_token) = self.versions::<Products, _>(&name, asked, version, same).await?;
        Ok(pb::ListProductVersionsResponse { versions, next_page_token })
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
