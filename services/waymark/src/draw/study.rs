//! What is worth finding out, as a study in discovery.

use anyhow::Result;
use waymark_client::Error;
use waymark_proto::Choice as _;
use waymark_proto::discovery::v1 as pb;
use waymark_proto::discovery::v1::research_service_client::ResearchServiceClient;
use waymark_proto::roadmap::v1::ResearchProposal;

use super::words;
use crate::generic::contract::Area;
use crate::generic::names::short;
use crate::settings::Settings;

/// A method by its name, as people write it.
pub fn method(text: &str) -> Result<pb::StudyMethod, String> {
    let names = pb::StudyMethod::NAMES;
    let number = names.iter().position(|name| waymark_proto::choice::reads_alike(name, text));
    let method = number.and_then(|index| pb::StudyMethod::try_from(index as i32 + 1).ok());
    method.ok_or_else(|| format!("must be one of {}", names.join(", ").to_lowercase().replace('_', "-")))
}

/// Makes a study of a proposal; `order` is what would gain by it.
pub async fn make(
    proposal: &ResearchProposal,
    order: &str,
    method: pb::StudyMethod,
    settings: &Settings,
) -> Result<()> {
    let mut client = ResearchServiceClient::new(settings.channel(Area::Discovery)?);
    let request = pb::CreateStudyRequest {
        parent: settings.parent()?,
        study: Some(study(proposal, order, method)),
        ..pb::CreateStudyRequest::default()
    };
    let study = client.create_study(request).await.map_err(Error::from)?.into_inner();
    crate::show(format_args!("{}  [{}]\n    {}", study.display_name, short(&study.name), study.goal));
    Ok(())
}

fn study(proposal: &ResearchProposal, order: &str, method: pb::StudyMethod) -> pb::Study {
    let ResearchProposal { initiative, factor, worth, question } = proposal;
    let id = short(initiative);
    let labels = [("initiative", id), ("factor", factor.as_str())];
    pb::Study {
        display_name: format!("{factor} of {id}"),
        goal: format!("{question} The {order} would gain {} by knowing it.", words::figure(*worth)),
        method: method.into(),
        questions: vec![question.clone()],
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..pb::Study::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_says_what_is_asked_and_what_for() {
        let proposal = ResearchProposal {
            initiative: "workspaces/acme/initiatives/sso".into(),
            factor: "reach".into(),
            worth: 118.06,
            question: "What is reach of \"Sign in\", held to be 5000 (1000 to 9000)?".into(),
        };
        let made = study(&proposal, "top 3 by RICE", pb::StudyMethod::Survey);
        assert_eq!((made.display_name.as_str(), made.method()), ("reach of sso", pb::StudyMethod::Survey));
        assert!(
            made.goal.starts_with("What is reach of ")
                && made.goal.ends_with("The top 3 by RICE would gain 118.1 by knowing it.")
        );
        assert_eq!(made.questions, [proposal.question]);
        assert_eq!((made.labels["initiative"].as_str(), made.labels["factor"].as_str()), ("sso", "reach"));
        assert_eq!(method("usability-test"), Ok(pb::StudyMethod::UsabilityTest));
        assert!(method("guessing").unwrap_err().contains("must be one of interview"));
    }
}
