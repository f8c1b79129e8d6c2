//! The standard methods, the same for every resource.

use pbjson_types::FieldMask;
use tonic::Code;
use uuid::Uuid;
use waymark_proto::discovery::v1 as pb;

use crate::support::{Discovery, PARENT, cite, interview_of, on_both, reason, test_of};

/// Runs one resource through all its standard methods. `$first` is a valid message.
macro_rules! standard {
    (
        $client:expr, $field:ident, $id:ident, $list_field:ident, $first:expr,
        $get:ident $Get:ident, $list:ident $List:ident, $create:ident $Create:ident, $batch:ident $Batch:ident,
        $update:ident $Update:ident, $delete:ident $Delete:ident, $undelete:ident $Undelete:ident
    ) => {{
        let first = $first;
        let client = &mut $client;
        let parent = PARENT.to_owned();
        let create = pb::$Create {
            parent: parent.clone(),
            $id: "one".into(),
            $field: Some(first.clone()),
            ..Default::default()
        };
        client.$create(pb::$Create { validate_only: true, ..create.clone() }).await.unwrap();
        let request_id = Uuid::from_u128(7).to_string();
        let tracked = pb::$Create { request_id, ..create.clone() };
        let one = client.$create(tracked.clone()).await.unwrap().into_inner();
        assert_eq!(client.$create(tracked.clone()).await.unwrap().into_inner(), one, "a repeat gets the first answer");
        let other_body = pb::$Create { $id: "two".into(), ..tracked };
        assert_eq!(reason(client.$create(other_body).await).1, "REQUEST_ID_REUSED");
        assert_eq!(reason(client.$create(create.clone()).await), (Code::AlreadyExists, "RESOURCE_EXISTS".into()));
        let nameless = pb::$Create { $id: "x".into(), $field: Some(Default::default()), ..create.clone() };
        assert_eq!(reason(client.$create(nameless.clone()).await), (Code::InvalidArgument, "INVALID_FIELD".into()));

        let rows = vec![pb::$Create { $id: String::new(), ..create.clone() }, nameless, create];
        let batch = pb::$Batch { parent: parent.clone(), requests: rows, ..Default::default() };
        assert_eq!(reason(client.$batch(batch.clone()).await).0, Code::InvalidArgument);
        let partial = client.$batch(pb::$Batch { partial: true, ..batch }).await.unwrap().into_inner();
        assert_eq!(partial.failures.keys().copied().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(partial.failures[&2].reason, "RESOURCE_EXISTS");
        assert!(!partial.$list_field[0].name.is_empty() && partial.$list_field[1].name.is_empty());

        let get = pb::$Get { name: one.name.clone() };
        assert_eq!(client.$get(get.clone()).await.unwrap().into_inner(), one);
        let mut patch = one.clone();
        patch.display_name = "Renamed".into();
        let mask = Some(FieldMask { paths: vec!["display_name".into()] });
        let update = pb::$Update { $field: Some(patch.clone()), update_mask: mask, ..Default::default() };
        let renamed = client.$update(update.clone()).await.unwrap().into_inner();
        assert_eq!((renamed.display_name.as_str(), renamed.etag.as_str()), ("Renamed", "2"));
        assert_eq!(reason(client.$update(update.clone()).await), (Code::Aborted, "ETAG_MISMATCH".into()));
        let wrong = pb::$Update { update_mask: Some(FieldMask { paths: vec!["colour".into()] }), ..update };
        patch.etag.clear();
        let wrong = pb::$Update { $field: Some(patch), ..wrong };
        assert_eq!(reason(client.$update(wrong).await).1, "INVALID_MASK");

        let list = pb::$List { parent, filter: "display_name = Renamed".into(), ..Default::default() };
        assert_eq!(client.$list(list.clone()).await.unwrap().into_inner().$list_field.len(), 1);
        let delete = pb::$Delete { name: one.name.clone(), ..Default::default() };
        let deleted = client.$delete(delete.clone()).await.unwrap().into_inner();
        assert!(deleted.delete_time.is_some());
        assert_eq!(reason(client.$delete(delete).await), (Code::NotFound, "RESOURCE_NOT_FOUND".into()));
        assert!(client.$get(get).await.unwrap().into_inner().delete_time.is_some());
        assert!(client.$list(list.clone()).await.unwrap().into_inner().$list_field.is_empty());
        let all = client.$list(pb::$List { show_deleted: true, ..list.clone() }).await.unwrap().into_inner();
        assert_eq!(all.$list_field.len(), 1);
        let undelete = pb::$Undelete { name: one.name, ..Default::default() };
        assert_eq!(client.$undelete(undelete.clone()).await.unwrap().into_inner().delete_time, None);
        assert_eq!(reason(client.$undelete(undelete).await).1, "STATE_CONFLICT");
        let bad = pb::$List { filter: "colour = red".into(), ..list };
        assert_eq!(reason(client.$list(bad).await).1, "INVALID_FILTER");
    }};
}

fn study() -> pb::Study {
    pb::Study { display_name: "S".into(), method: 1, ..Default::default() }
}

fn named(id: &str) -> String {
    format!("{PARENT}/{id}")
}

#[tokio::test(flavor = "multi_thread")]
async fn studies_and_participants() {
    on_both(async |mut d: Discovery| {
        standard!(
            d.research, study, study_id, studies, study(),
            get_study GetStudyRequest, list_studies ListStudiesRequest, create_study CreateStudyRequest,
            batch_create_studies BatchCreateStudiesRequest, update_study UpdateStudyRequest, delete_study DeleteStudyRequest,
            undelete_study UndeleteStudyRequest
        );
    })
    .await;
    on_both(async |mut d: Discovery| {
        standard!(
            d.research, participant, participant_id, participants, pb::Participant { display_name: "P".into(), ..Default::default() },
            get_participant GetParticipantRequest, list_participants ListParticipantsRequest,
            create_participant CreateParticipantRequest, batch_create_participants BatchCreateParticipantsRequest,
            update_participant UpdateParticipantRequest, delete_participant DeleteParticipantRequest,
            undelete_participant UndeleteParticipantRequest
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interviews_and_insights() {
    on_both(async |mut d: Discovery| {
        d.study("s").await;
        d.participant("p", None).await;
        standard!(
            d.research, interview, interview_id, interviews, interview_of("p", 1),
            get_interview GetInterviewRequest, list_interviews ListInterviewsRequest, create_interview CreateInterviewRequest,
            batch_create_interviews BatchCreateInterviewsRequest, update_interview UpdateInterviewRequest,
            delete_interview DeleteInterviewRequest, undelete_interview UndeleteInterviewRequest
        );
    })
    .await;
    on_both(async |mut d: Discovery| {
        d.study("s").await;
        d.participant("p", None).await;
        d.interview("i", interview_of("p", 1)).await.unwrap();
        let evidence = vec![cite("i", "invites")];
        standard!(
            d.research, insight, insight_id, insights,
            pb::Insight { display_name: "I".into(), statement: "s".into(), kind: 1, evidence, ..Default::default() },
            get_insight GetInsightRequest, list_insights ListInsightsRequest, create_insight CreateInsightRequest,
            batch_create_insights BatchCreateInsightsRequest, update_insight UpdateInsightRequest,
            delete_insight DeleteInsightRequest, undelete_insight UndeleteInsightRequest
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_and_opportunities() {
    on_both(async |mut d: Discovery| {
        standard!(
            d.trees, outcome, outcome_id, outcomes,
            pb::Outcome { display_name: "O".into(), measure: "calls".into(), ..Default::default() },
            get_outcome GetOutcomeRequest, list_outcomes ListOutcomesRequest, create_outcome CreateOutcomeRequest,
            batch_create_outcomes BatchCreateOutcomesRequest, update_outcome UpdateOutcomeRequest,
            delete_outcome DeleteOutcomeRequest, undelete_outcome UndeleteOutcomeRequest
        );
    })
    .await;
    on_both(async |mut d: Discovery| {
        d.outcome("root").await;
        standard!(
            d.trees, opportunity, opportunity_id, opportunities,
            pb::Opportunity { display_name: "O".into(), kind: 1, parent_node: named("outcomes/root"), ..Default::default() },
            get_opportunity GetOpportunityRequest, list_opportunities ListOpportunitiesRequest,
            create_opportunity CreateOpportunityRequest, batch_create_opportunities BatchCreateOpportunitiesRequest,
            update_opportunity UpdateOpportunityRequest, delete_opportunity DeleteOpportunityRequest,
            undelete_opportunity UndeleteOpportunityRequest
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn solutions_and_assumption_tests() {
    on_both(async |mut d: Discovery| {
        d.outcome("root").await;
        d.opportunity("o", "outcomes/root").await.unwrap();
        standard!(
            d.trees, solution, solution_id, solutions,
            pb::Solution { display_name: "S".into(), opportunity: named("opportunities/o"), ..Default::default() },
            get_solution GetSolutionRequest, list_solutions ListSolutionsRequest, create_solution CreateSolutionRequest,
            batch_create_solutions BatchCreateSolutionsRequest, update_solution UpdateSolutionRequest,
            delete_solution DeleteSolutionRequest, undelete_solution UndeleteSolutionRequest
        );
    })
    .await;
    on_both(async |mut d: Discovery| {
        d.outcome("root").await;
        d.opportunity("o", "outcomes/root").await.unwrap();
        d.solution("s", "o").await.unwrap();
        standard!(
            d.trees, assumption_test, assumption_test_id, assumption_tests, test_of("s"),
            get_assumption_test GetAssumptionTestRequest, list_assumption_tests ListAssumptionTestsRequest,
            create_assumption_test CreateAssumptionTestRequest, batch_create_assumption_tests BatchCreateAssumptionTestsRequest,
            update_assumption_test UpdateAssumptionTestRequest, delete_assumption_test DeleteAssumptionTestRequest,
            undelete_assumption_test UndeleteAssumptionTestRequest
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_comes_back_only_to_what_it_refers_to() {
    on_both(async |mut d: Discovery| {
        d.study("s").await;
        d.participant("p", None).await;
        let interview = d.interview("i", interview_of("p", 1)).await.unwrap();
        d.research
            .delete_interview(pb::DeleteInterviewRequest { name: interview.name.clone(), ..Default::default() })
            .await
            .unwrap();
        d.research
            .delete_study(pb::DeleteStudyRequest { name: named("studies/s"), ..Default::default() })
            .await
            .unwrap();
        let undelete = pb::UndeleteInterviewRequest { name: interview.name, ..Default::default() };
        assert_eq!(
            reason(d.research.undelete_interview(undelete).await),
            (Code::FailedPrecondition, "REFERENCE_NOT_FOUND".into())
        );
    })
    .await;
}
