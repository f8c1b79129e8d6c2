//! What callers who have an audience are read, in a workspace of the whole size of which they are shown a part: beside what the links of
//! `audiences` lead to.

use std::time::Duration;

use anyhow::Result;
use tonic::metadata::MetadataValue;
use tonic::{IntoRequest as _, Request};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;

use crate::report::Report;
use crate::service::Roadmap;
use crate::targets::beside;

const PARENT: &str = "workspaces/whole";
/// Initiatives that are shown, in batches of so many.
const SHOWN: usize = 5_000;
const BATCH: usize = 500;
const OFTEN: usize = 50;

/// Times pages of a list and of the roadmap, and a page of events.
pub async fn run(roadmap: &Roadmap, size: usize, report: &mut Report) -> Result<()> {
    let mut client = RoadmapServiceClient::new(roadmap.channel(0));
    let audience = pb::Audience { display_name: "Customers".to_owned(), ..Default::default() };
    let create = pb::CreateAudienceRequest {
        parent: PARENT.to_owned(),
        audience_id: "customers".to_owned(),
        audience: Some(audience),
        ..Default::default()
    };
    let name = client.create_audience(create).await?.into_inner().name;
    // Spread over all, as what is shown is.
    let apart = (size / SHOWN).max(1);
    for first in (0..SHOWN.min(size)).step_by(BATCH) {
        let update = |number: usize| pb::UpdateInitiativeRequest {
            initiative: Some(pb::Initiative {
                name: format!("{PARENT}/initiatives/i{}", number * apart),
                audiences: vec![name.clone()],
                ..Default::default()
            }),
            ..Default::default()
        };
        let requests = (first..(first + BATCH).min(size)).map(update).collect();
        let batch = pb::BatchUpdateInitiativesRequest { parent: PARENT.to_owned(), requests, ..Default::default() };
        client.batch_update_initiatives(batch).await?;
    }
    let audience: MetadataValue<_> = name.parse()?;
    let list = pb::ListInitiativesRequest { parent: PARENT.to_owned(), ..Default::default() };
    let page = pb::GetRoadmapRequest {
        parent: PARENT.to_owned(),
        group_by: pb::RoadmapGrouping::Horizon.into(),
        ..Default::default()
    };
    let most = (Duration::from_millis(50), OFTEN);
    let bare = async || {
        let shown =
            "SELECT substr(referrer, 13) FROM links WHERE workspace = 'whole' AND target = 'audiences/customers'
                     AND field = 'audiences' ORDER BY referrer LIMIT 51";
        let bodies =
            format!("SELECT id, CAST(body AS text) FROM initiatives WHERE workspace = 'whole' AND id IN ({shown})");
        roadmap.bare.rows(bodies).await.map(drop)
    };
    let call = async || client.clone().list_initiatives(asking(list.clone(), &audience)).await.map(drop);
    beside(roadmap, "a page of ListInitiatives for an audience", most, call, &bare, report).await?;
    let call = async || client.clone().get_roadmap(asking(page.clone(), &audience)).await.map(drop);
    beside(roadmap, "a page of GetRoadmap for an audience", most, call, &bare, report).await
}

/// A request of a caller who has this audience.
fn asking<T>(message: T, audience: &MetadataValue<tonic::metadata::Ascii>) -> Request<T> {
    let mut request = message.into_request();
    request.metadata_mut().insert("waymark-audience", audience.clone());
    request
}
