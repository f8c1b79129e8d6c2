//! The roadmap in other lanes than horizons: those of most initiatives, of few, and those that no index knows.

use anyhow::Result;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;

use crate::report::Report;
use crate::scale::time;
use crate::service::Roadmap;

/// Times them in both workspaces.
pub async fn run(roadmap: &Roadmap, sizes: [usize; 2], report: &mut Report) -> Result<()> {
    use pb::RoadmapGrouping as By;
    let year = pb::TargetInterval { start: "2026-01".to_owned(), end: "2026-12".to_owned() };
    for (what, by, interval, label) in [
        ("GetRoadmap by time", By::Time, Some(year), ""),
        ("GetRoadmap by product", By::Product, None, ""),
        ("GetRoadmap by objective", By::Objective, None, ""),
        ("GetRoadmap by owner", By::Owner, None, ""),
        ("GetRoadmap by label", By::Label, None, "team"),
    ] {
        let lanes = async |workspace: &str, _, _| {
            let request = pb::GetRoadmapRequest {
                parent: format!("workspaces/{workspace}"),
                group_by: by.into(),
                interval: interval.clone(),
                label: label.to_owned(),
                ..Default::default()
            };
            let client = RoadmapServiceClient::new(roadmap.channel(1)).max_decoding_message_size(usize::MAX);
            { client }.get_roadmap(request).await.map(|_| ())
        };
        time(what, sizes, Some(1.3), lanes, report).await?;
    }
    Ok(())
}
