//! Studies, interviews, insights and the way from an insight to the people it rests on.

use std::time::Duration;

use pbjson_types::FieldMask;
use tonic::Code;
use waymark_proto::discovery::v1 as pb;

use crate::support::{Discovery, PARENT, cite, days_ago, fields, interview_of, on_both, reason, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn a_study_goes_one_way() {
    on_both(async |mut d: Discovery| {
        let study = d.study("s").await;
        assert_eq!((study.state(), study.start_time), (pb::StudyState::Planned, None));
        let start = pb::StartStudyRequest { name: study.name.clone(), ..Default::default() };
        let complete = pb::CompleteStudyRequest { name: study.name.clone(), ..Default::default() };
        let (code, reason, metadata) = refusal(d.research.complete_study(complete.clone()).await);
        assert_eq!((code, reason.as_str()), (Code::FailedPrecondition, "STATE_CONFLICT"));
        assert_eq!((metadata["state"].as_str(), metadata["action"].as_str()), ("PLANNED", "complete"));
        let started = d.research.start_study(start.clone()).await.unwrap().into_inner();
        assert_eq!((started.state(), started.start_time), (pb::StudyState::Active, Some(days_ago(0))));
        // The state is not writable by an update, so this one changes nothing.
        let mut patch = started.clone();
        patch.set_state(pb::StudyState::Planned);
        let update = pb::UpdateStudyRequest {
            study: Some(patch),
            update_mask: Some(FieldMask { paths: vec!["*".into()] }),
            ..Default::default()
        };
        assert_eq!(d.research.update_study(update).await.unwrap().into_inner().state(), pb::StudyState::Active);
        assert_eq!(d.research.complete_study(complete).await.unwrap().into_inner().state(), pb::StudyState::Complete);
        assert_eq!(refusal(d.research.start_study(start).await).1, "STATE_CONFLICT");
        let events: Vec<String> = d.events().await.into_iter().map(|(_, event)| event).collect();
        assert_eq!(events, ["StudyCreated", "StudyStarted", "StudyCompleted"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interview_needs_study_participant_and_consent() {
    on_both(async |mut d: Discovery| {
        let missing = refusal(d.interview("i", interview_of("p", 1)).await);
        assert_eq!((missing.0, missing.1.as_str()), (Code::FailedPrecondition, "REFERENCE_NOT_FOUND"));
        assert_eq!(
            (missing.2["field"].as_str(), missing.2["resource"].as_str()),
            ("study", "workspaces/acme/studies/s")
        );
        let study = d.study("s").await;
        assert_eq!(refusal(d.interview("i", interview_of("p", 1)).await).2["field"], "participant");
        let scopes = vec![pb::ConsentScope::Notes.into()];
        let consent = pb::Consent { scopes, give_time: Some(days_ago(90)), expire_time: Some(days_ago(10)) };
        let participant = d.participant("p", Some(consent)).await;
        let (code, reason_, metadata) = refusal(d.interview("i", interview_of("p", 9)).await);
        assert_eq!(
            (code, reason_.as_str(), metadata["rule"].as_str()),
            (Code::FailedPrecondition, "RULE_VIOLATED", "consent")
        );
        let kept = d.interview("i", interview_of("p", 11)).await.unwrap();

        let wrong = pb::Interview {
            highlights: vec![pb::Highlight { quote: "invite".into(), ..kept.highlights[0].clone() }],
            ..kept.clone()
        };
        assert_eq!(fields(d.interview("j", wrong).await), ["interview.highlights[0].quote"]);
        let huge = pb::TranscriptSegment { speaker: "p".into(), text: "x".repeat(1 << 20), ..Default::default() };
        let huge = pb::Interview { transcript: vec![huge], highlights: vec![], ..kept.clone() };
        assert_eq!(fields(d.interview("j", huge.clone()).await), ["interview.transcript"]);
        let mut fits = huge;
        fits.transcript[0].text.pop();
        assert_eq!(d.interview("j", fits).await.unwrap().transcript[0].text.len(), (1 << 20) - 1);

        let list = pb::ListInterviewsRequest {
            parent: PARENT.into(),
            filter: format!("study = \"{}\" AND conduct_time < 2026-03-01T00:00:00Z", study.name),
            ..Default::default()
        };
        let listed = d.research.list_interviews(list).await.unwrap().into_inner().interviews;
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().all(|i| i.transcript.is_empty()));

        for (code, reason_, metadata) in [
            refusal(d.research.delete_study(pb::DeleteStudyRequest { name: study.name, ..Default::default() }).await),
            refusal(
                d.research
                    .delete_participant(pb::DeleteParticipantRequest { name: participant.name, ..Default::default() })
                    .await,
            ),
        ] {
            assert_eq!((code, reason_.as_str()), (Code::FailedPrecondition, "RESOURCE_IN_USE"));
            assert_eq!(metadata["referrer"], kept.name);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insight_is_as_strong_as_its_interviews() {
    on_both(async |mut d: Discovery| {
        d.study("s").await;
        d.participant("p", None).await;
        d.participant("q", None).await;
        d.interview("i", interview_of("p", 0)).await.unwrap();
        let second = d.interview("j", interview_of("q", 20)).await.unwrap();
        for (evidence, resource) in [(cite("none", ""), "none"), (cite("i", "nothing"), "highlight nothing")] {
            let (code, reason, metadata) = refusal(d.insight("x", vec![evidence]).await);
            assert_eq!((code, reason.as_str()), (Code::FailedPrecondition, "REFERENCE_NOT_FOUND"));
            assert!(metadata["resource"].ends_with(resource), "{metadata:?}");
        }

        let insight = d.insight("invites", vec![cite("i", "invites"), cite("j", "invites")]).await.unwrap();
        let strength = insight.strength.unwrap();
        assert_eq!((strength.participants, strength.source_kinds, strength.newest_time), (2, 1, Some(days_ago(0))));
        let expected = 0.6 * (1.0 - 0.69 * 0.69) + 0.2 / 3.0 + 0.2;
        assert!((strength.score - expected).abs() < 1e-9, "{}", strength.score);

        // Taking away a cited highlight is refused; another participant changes the strength.
        let patch = |interview: pb::Interview, path: &str| pb::UpdateInterviewRequest {
            interview: Some(interview),
            update_mask: Some(FieldMask { paths: vec![path.into()] }),
            ..Default::default()
        };
        let stripped = pb::Interview { highlights: vec![], ..second.clone() };
        assert_eq!(reason(d.research.update_interview(patch(stripped, "highlights")).await).1, "RESOURCE_IN_USE");
        let same_person = pb::Interview { participant: format!("{PARENT}/participants/p"), ..second.clone() };
        d.research.update_interview(patch(same_person, "participant")).await.unwrap();
        let events = d.events().await;
        let [.., (updated, interview), (reassessed, insight_event)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((interview.as_str(), insight_event.as_str()), ("InterviewUpdated", "InsightReassessed"));
        assert_eq!(updated, reassessed);
        let get = pb::GetInsightRequest { name: insight.name.clone() };
        let now = d.research.get_insight(get.clone()).await.unwrap().into_inner().strength.unwrap();
        assert_eq!(now.participants, 1);

        // Time takes from it without a write.
        d.clock.advance(Duration::from_hours(365 * 24));
        let later = d.research.get_insight(get).await.unwrap().into_inner().strength.unwrap();
        assert!((now.score - later.score - 0.1).abs() < 1e-9, "{} then {}", now.score, later.score);
        let listed = d
            .research
            .list_insights(pb::ListInsightsRequest { parent: PARENT.into(), ..Default::default() })
            .await
            .unwrap();
        assert_eq!(listed.into_inner().insights[0].strength, Some(later));

        let delete = pb::DeleteInterviewRequest { name: second.name, ..Default::default() };
        assert_eq!(refusal(d.research.delete_interview(delete).await).2["referrer"], insight.name);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_insight_is_assessed_again_when_who_spoke_or_when_changes() {
    on_both(async |mut d: Discovery| {
        d.study("s").await;
        d.participant("p", None).await;
        d.participant("q", None).await;
        d.interview("i", interview_of("p", 3)).await.unwrap();
        d.interview("j", interview_of("q", 4)).await.unwrap();
        for id in ["one", "two"] {
            d.insight(id, vec![cite("i", "invites"), cite("j", "invites")]).await.unwrap();
        }
        let before = d.events().await.len();
        let changed = pb::Interview {
            display_name: "Renamed".into(),
            name: format!("{PARENT}/interviews/i"),
            ..interview_of("p", 5)
        };
        for path in ["display_name", "conduct_time"] {
            let update_mask = Some(FieldMask { paths: vec![path.into()] });
            let update =
                pb::UpdateInterviewRequest { interview: Some(changed.clone()), update_mask, ..Default::default() };
            d.research.update_interview(update).await.unwrap();
        }
        let events: Vec<String> = d.events().await.into_iter().skip(before).map(|(_, event)| event).collect();
        assert_eq!(events, ["InterviewUpdated", "InterviewUpdated", "InsightReassessed", "InsightReassessed"]);
        for id in ["one", "two"] {
            let get = pb::GetInsightRequest { name: format!("{PARENT}/insights/{id}") };
            let strength = d.research.get_insight(get).await.unwrap().into_inner().strength.unwrap();
            assert_eq!((strength.participants, strength.newest_time), (2, Some(days_ago(4))));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn insights_are_assessed_once_for_all_interviews_of_a_batch() {
    on_both(async |mut d: Discovery| {
        d.study("s").await;
        d.participant("p", None).await;
        d.participant("q", None).await;
        for (id, who) in [("i", "p"), ("j", "q")] {
            d.interview(id, interview_of(who, 3)).await.unwrap();
        }
        d.insight("one", vec![cite("i", "invites"), cite("j", "invites")]).await.unwrap();
        let before = d.events().await.len();
        let held = |id: &str, days: i64| pb::UpdateInterviewRequest {
            interview: Some(pb::Interview {
                name: format!("{PARENT}/interviews/{id}"),
                conduct_time: Some(days_ago(days)),
                ..Default::default()
            }),
            ..Default::default()
        };
        let requests = vec![held("i", 8), held("j", 9)];
        let batch = pb::BatchUpdateInterviewsRequest { parent: PARENT.into(), requests, ..Default::default() };
        d.research.batch_update_interviews(batch).await.unwrap();
        let events: Vec<String> = d.events().await.into_iter().skip(before).map(|(_, event)| event).collect();
        assert_eq!(events, ["InterviewUpdated", "InterviewUpdated", "InsightReassessed"]);
        let names = ["i", "j"].map(|id| format!("{PARENT}/interviews/{id}")).into();
        let get = pb::BatchGetInterviewsRequest { parent: PARENT.into(), names };
        let interviews = d.research.batch_get_interviews(get).await.unwrap().into_inner().interviews;
        assert!(interviews.iter().all(|interview| !interview.transcript.is_empty()), "shown as Get shows them");
        let get = pb::BatchGetInsightsRequest { parent: PARENT.into(), names: vec![format!("{PARENT}/insights/one")] };
        let insight = d.research.batch_get_insights(get.clone()).await.unwrap().into_inner().insights.remove(0);
        assert_eq!(insight.strength.as_ref().unwrap().newest_time, Some(days_ago(8)));
        d.clock.advance(Duration::from_hours(365 * 24));
        let later = d.research.batch_get_insights(get).await.unwrap().into_inner().insights.remove(0);
        assert!(later.strength.unwrap().score < insight.strength.unwrap().score, "its strength is that of now");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_traced_to_people_in_one_call() {
    on_both(async |mut d: Discovery| {
        d.study("s").await;
        d.participant("p", None).await;
        d.interview("i", interview_of("p", 3)).await.unwrap();
        let metric = pb::InsightEvidence { target: crate::support::metric("activation"), ..Default::default() };
        let insight = d.insight("invites", vec![cite("i", "invites"), metric]).await.unwrap();
        let trace = pb::TraceEvidenceRequest { name: insight.name.clone() };
        let traced = d.research.trace_evidence(trace).await.unwrap().into_inner();
        assert_eq!(traced.insight.unwrap().name, insight.name);
        let [interview, metric] = traced.traces.as_slice() else { panic!("{:?}", traced.traces) };
        assert_eq!(interview.highlight.as_ref().unwrap().quote, "invites");
        assert_eq!(interview.interview.as_ref().unwrap().transcript, []);
        assert_eq!(interview.participant.as_ref().unwrap().name, "workspaces/acme/participants/p");
        assert_eq!(interview.study.as_ref().unwrap().name, "workspaces/acme/studies/s");
        assert_eq!((&metric.interview, &metric.participant), (&None, &None));
        let unknown = pb::TraceEvidenceRequest { name: format!("{PARENT}/insights/unknown") };
        assert_eq!(reason(d.research.trace_evidence(unknown).await), (Code::NotFound, "RESOURCE_NOT_FOUND".into()));
    })
    .await;
}
