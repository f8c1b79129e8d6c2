//! Orders beside that of RICE: by a framework whose order is kept, by models whose order is not, and what is asked of an
//! order.

use anyhow::Result;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::prioritization_service_client::PrioritizationServiceClient;

use crate::report::Report;
use crate::scale::{WORKSPACES, time};
use crate::service::Roadmap;

/// Makes a model that looks at an initiative alone, and one that compares them, in both workspaces.
pub async fn models(roadmap: &Roadmap) -> Result<()> {
    let mut client = PrioritizationServiceClient::new(roadmap.channel(3));
    for workspace in WORKSPACES {
        for (id, normalisation) in
            [("plain", pb::ScoringNormalisation::None), ("compared", pb::ScoringNormalisation::MinMax)]
        {
            let criterion = |key: &str, weight| pb::ScoringCriterion {
                key: key.to_owned(),
                weight: Some(weight),
                normalisation: normalisation.into(),
                ..Default::default()
            };
            let criteria = vec![criterion("reach", 1.0), criterion("impact", 2.0), criterion("effort", -1.0)];
            let model = pb::ScoringModel { display_name: id.to_owned(), criteria, ..Default::default() };
            let request = pb::CreateScoringModelRequest {
                parent: format!("workspaces/{workspace}"),
                scoring_model_id: id.to_owned(),
                scoring_model: Some(model),
                ..Default::default()
            };
            client.create_scoring_model(request).await?;
        }
    }
    Ok(())
}

/// Times what is asked, in both workspaces.
pub async fn run(roadmap: &Roadmap, sizes: [usize; 2], report: &mut Report) -> Result<()> {
    let client = || PrioritizationServiceClient::new(roadmap.channel(3)).max_decoding_message_size(usize::MAX);
    let by_framework = async |workspace: &str, _, _| {
        let parent = format!("workspaces/{workspace}");
        let framework = pb::ScoringFramework::ValueEffort.into();
        let request = pb::RankInitiativesRequest { parent, framework, ..Default::default() };
        client().rank_initiatives(request).await.map(|_| ())
    };
    time("RankInitiatives by value / effort", sizes, Some(1.3), by_framework, report).await?;
    for (what, model) in [("RankInitiatives by a model", "plain"), ("RankInitiatives by a model, min-max", "compared")]
    {
        let by_model = async |workspace: &str, _, _| {
            let parent = format!("workspaces/{workspace}");
            let model = format!("{parent}/scoringModels/{model}");
            let request = pb::RankInitiativesRequest { parent, model, ..Default::default() };
            client().rank_initiatives(request).await.map(|_| ())
        };
        // It looks at what is known of all: the one order that does.
        time(what, sizes, None, by_model, report).await?;
    }
    let history = async |workspace: &str, size, number| {
        let initiative = format!("workspaces/{workspace}/initiatives/i{}", (number * 7_919 + 13) % size);
        let request = pb::GetScoreHistoryRequest { initiative, ..Default::default() };
        client().get_score_history(request).await.map(|_| ())
    };
    time("GetScoreHistory", sizes, Some(1.3), history, report).await?;
    let filter = || "labels.team = t20".to_owned();
    let compare = async |workspace: &str, _, _| {
        let parent = format!("workspaces/{workspace}");
        let request = pb::CompareFrameworksRequest { parent, filter: filter(), ..Default::default() };
        client().compare_frameworks(request).await.map(|_| ())
    };
    time("CompareFrameworks of a label", sizes, None, compare, report).await?;
    let sure = async |workspace: &str, _, _| {
        let parent = format!("workspaces/{workspace}");
        let request = pb::AnalyzeSensitivityRequest { parent, filter: filter(), ..Default::default() };
        client().analyze_sensitivity(request).await.map(|_| ())
    };
    time("AnalyzeSensitivity of a label", sizes, None, sure, report).await
}
