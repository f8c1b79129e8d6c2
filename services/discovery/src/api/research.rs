//! Studies, participants, interviews and insights.

use tonic::{Request, Response, Status};
use waymark_domain::discovery::{
    InsightEvent, Interview, InterviewEvent, Participant, ParticipantEvent, Study, StudyEvent,
};
use waymark_domain::{Change, Name};
use waymark_proto::convert::discovery::refresh_strength;
use waymark_proto::discovery::v1 as pb;
use waymark_rpc::{answer, batch_rows, open, or_status, parse, required, written};
use waymark_store::{Batch, Error, ListQuery, Write};

use super::{Api, change};
use crate::store::{Insights, Interviews, Participants, Studies, assess_insight, record_interview, update_interview};

#[tonic::async_trait]
impl pb::research_service_server::ResearchService for Api {
    async fn get_study(&self, request: Request<pb::GetStudyRequest>) -> Result<Response<pb::Study>, Status> {
        answer(self.store.get::<Studies>(&request.get_ref().name).await)
    }

    async fn list_studies(
        &self,
        request: Request<pb::ListStudiesRequest>,
    ) -> Result<Response<pb::ListStudiesResponse>, Status> {
        let r = request.into_inner();
        let query = ListQuery {
            parent: &r.parent,
            page_size: r.page_size,
            page_token: &r.page_token,
            filter: &r.filter,
            order_by: &r.order_by,
            show_deleted: r.show_deleted,
        };
        let page = or_status(self.store.list::<Studies>(query).await)?;
        Ok(Response::new(pb::ListStudiesResponse { studies: page.items, next_page_token: page.next_page_token }))
    }

    async fn create_study(&self, request: Request<pb::CreateStudyRequest>) -> Result<Response<pb::Study>, Status> {
        let (call, r) = open(request)?;
        written(
            self.store
                .create_blind::<Studies, _>(&call, &r.parent, &r.study_id, r.study, |new| {
                    change(new, StudyEvent::Created)
                })
                .await,
        )
    }

    async fn batch_create_studies(
        &self,
        request: Request<pb::BatchCreateStudiesRequest>,
    ) -> Result<Response<pb::BatchCreateStudiesResponse>, Status> {
        let (call, r) = open(request)?;
        let rows = or_status(batch_rows(&r.parent, r.requests, |row| (row.parent, (row.study_id, row.study))))?;
        let keep = async |_: &mut Write, new| Ok(Change::new(new, StudyEvent::Created));
        let reply = |batch: Batch<_>| pb::BatchCreateStudiesResponse { studies: batch.items, failures: batch.failures };
        written(self.store.batch_create::<Studies, _, _>(&call, &r.parent, rows, r.partial, keep, reply).await)
    }

    async fn update_study(&self, request: Request<pb::UpdateStudyRequest>) -> Result<Response<pb::Study>, Status> {
        let (call, r) = open(request)?;
        let update = async |_: &mut Write, _: Study, new| Ok(Change::new(new, StudyEvent::Updated));
        written(self.store.update::<Studies, _>(&call, r.study, r.update_mask, update).await)
    }

    async fn delete_study(&self, request: Request<pb::DeleteStudyRequest>) -> Result<Response<pb::Study>, Status> {
        let (call, r) = open(request)?;
        let delete = async |_: &mut Write, old| Ok(Change::new(old, StudyEvent::Deleted));
        written(self.store.delete::<Studies, _>(&call, &r.name, &r.etag, delete).await)
    }

    async fn undelete_study(&self, request: Request<pb::UndeleteStudyRequest>) -> Result<Response<pb::Study>, Status> {
        let (call, r) = open(request)?;
        written(
            self.store
                .undelete::<Studies, _>(&call, &r.name, &r.etag, async |_, old| {
                    Ok(Change::new(old, StudyEvent::Undeleted))
                })
                .await,
        )
    }

    async fn start_study(&self, request: Request<pb::StartStudyRequest>) -> Result<Response<pb::Study>, Status> {
        let (call, r) = open(request)?;
        written(
            self.store
                .change::<Studies, _>(&call, &r.name, &r.etag, async |write, old: Study| {
                    old.start(write.now()).map_err(Error::rule)
                })
                .await,
        )
    }

    async fn complete_study(&self, request: Request<pb::CompleteStudyRequest>) -> Result<Response<pb::Study>, Status> {
        let (call, r) = open(request)?;
        written(
            self.store
                .change::<Studies, _>(&call, &r.name, &r.etag, async |write, old: Study| {
                    old.complete(write.now()).map_err(Error::rule)
                })
                .await,
        )
    }

    async fn get_participant(
        &self,
        request: Request<pb::GetParticipantRequest>,
    ) -> Result<Response<pb::Participant>, Status> {
        answer(self.store.get::<Participants>(&request.get_ref().name).await)
    }

    async fn list_participants(
        &self,
        request: Request<pb::ListParticipantsRequest>,
    ) -> Result<Response<pb::ListParticipantsResponse>, Status> {
        let r = request.into_inner();
        let query = ListQuery {
            parent: &r.parent,
            page_size: r.page_size,
            page_token: &r.page_token,
            filter: &r.filter,
            order_by: &r.order_by,
            show_deleted: r.show_deleted,
        };
        let page = or_status(self.store.list::<Participants>(query).await)?;
        Ok(Response::new(pb::ListParticipantsResponse {
            participants: page.items,
            next_page_token: page.next_page_token,
        }))
    }

    async fn create_participant(
        &self,
        request: Request<pb::CreateParticipantRequest>,
    ) -> Result<Response<pb::Participant>, Status> {
        let (call, r) = open(request)?;
        written(
            self.store
                .create_blind::<Participants, _>(&call, &r.parent, &r.participant_id, r.participant, |new| {
                    change(new, ParticipantEvent::Created)
                })
                .await,
        )
    }

    async fn batch_create_participants(
        &self,
        request: Request<pb::BatchCreateParticipantsRequest>,
    ) -> Result<Response<pb::BatchCreateParticipantsResponse>, Status> {
        let (call, r) = open(request)?;
        let rows =
            or_status(batch_rows(&r.parent, r.requests, |row| (row.parent, (row.participant_id, row.participant))))?;
        let keep = async |_: &mut Write, new| Ok(Change::new(new, ParticipantEvent::Created));
        let reply = |batch: Batch<_>| pb::BatchCreateParticipantsResponse {
            participants: batch.items,
            failures: batch.failures,
        };
        written(self.store.batch_create::<Participants, _, _>(&call, &r.parent, rows, r.partial, keep, reply).await)
    }

    async fn update_participant(
        &self,
        request: Request<pb::UpdateParticipantRequest>,
    ) -> Result<Response<pb::Participant>, Status> {
        let (call, r) = open(request)?;
        let update = async |_: &mut Write, _: Participant, new| Ok(Change::new(new, ParticipantEvent::Updated));
        written(self.store.update::<Participants, _>(&call, r.participant, r.update_mask, update).await)
    }

    async fn delete_participant(
        &self,
        request: Request<pb::DeleteParticipantRequest>,
    ) -> Result<Response<pb::Participant>, Status> {
        let (call, r) = open(request)?;
        let delete = async |_: &mut Write, old| Ok(Change::new(old, ParticipantEvent::Deleted));
        written(self.store.delete::<Participants, _>(&call, &r.name, &r.etag, delete).await)
    }

    async fn undelete_participant(
        &self,
        request: Request<pb::UndeleteParticipantRequest>,
    ) -> Result<Response<pb::Participant>, Status> {
        let (call, r) = open(request)?;
        written(
            self.store
                .undelete::<Participants, _>(&call, &r.name, &r.etag, async |_, old| {
                    Ok(Change::new(old, ParticipantEvent::Undeleted))
                })
                .await,
        )
    }

    async fn get_interview(
        &self,
        request: Request<pb::GetInterviewRequest>,
    ) -> Result<Response<pb::Interview>, Status> {
        answer(self.store.get::<Interviews>(&request.get_ref().name).await)
    }

    async fn list_interviews(
        &self,
        request: Request<pb::ListInterviewsRequest>,
    ) -> Result<Response<pb::ListInterviewsResponse>, Status> {
        let r = request.into_inner();
        let query = ListQuery {
            parent: &r.parent,
            page_size: r.page_size,
            page_token: &r.page_token,
            filter: &r.filter,
            order_by: &r.order_by,
            show_deleted: r.show_deleted,
        };
        let mut page = or_status(self.store.list::<Interviews>(query).await)?;
        for interview in &mut page.items {
            interview.transcript.clear();
        }
        Ok(Response::new(pb::ListInterviewsResponse { interviews: page.items, next_page_token: page.next_page_token }))
    }

    async fn create_interview(
        &self,
        request: Request<pb::CreateInterviewRequest>,
    ) -> Result<Response<pb::Interview>, Status> {
        let (call, r) = open(request)?;
        let record = async |write: &mut Write, new| record_interview(write, new, InterviewEvent::Created).await;
        written(self.store.create::<Interviews, _>(&call, &r.parent, &r.interview_id, r.interview, record).await)
    }

    async fn batch_create_interviews(
        &self,
        request: Request<pb::BatchCreateInterviewsRequest>,
    ) -> Result<Response<pb::BatchCreateInterviewsResponse>, Status> {
        let (call, r) = open(request)?;
        let rows = or_status(batch_rows(&r.parent, r.requests, |row| (row.parent, (row.interview_id, row.interview))))?;
        let record = async |write: &mut Write, new| record_interview(write, new, InterviewEvent::Created).await;
        let reply =
            |batch: Batch<_>| pb::BatchCreateInterviewsResponse { interviews: batch.items, failures: batch.failures };
        written(self.store.batch_create::<Interviews, _, _>(&call, &r.parent, rows, r.partial, record, reply).await)
    }

    async fn update_interview(
        &self,
        request: Request<pb::UpdateInterviewRequest>,
    ) -> Result<Response<pb::Interview>, Status> {
        let (call, r) = open(request)?;
        let result = async {
            let patch = required("interview", r.interview)?;
            let name: Name<Interview> = parse("interview.name", &patch.name)?;
            let update = async |write: &mut Write| update_interview(write, &name, patch, r.update_mask.as_ref()).await;
            self.store.write(&call, name.workspace(), update).await
        };
        written(result.await)
    }

    async fn delete_interview(
        &self,
        request: Request<pb::DeleteInterviewRequest>,
    ) -> Result<Response<pb::Interview>, Status> {
        let (call, r) = open(request)?;
        let delete = async |_: &mut Write, old| Ok(Change::new(old, InterviewEvent::Deleted));
        written(self.store.delete::<Interviews, _>(&call, &r.name, &r.etag, delete).await)
    }

    async fn undelete_interview(
        &self,
        request: Request<pb::UndeleteInterviewRequest>,
    ) -> Result<Response<pb::Interview>, Status> {
        let (call, r) = open(request)?;
        let record = async |write: &mut Write, old| record_interview(write, old, InterviewEvent::Undeleted).await;
        written(self.store.undelete::<Interviews, _>(&call, &r.name, &r.etag, record).await)
    }

    async fn get_insight(&self, request: Request<pb::GetInsightRequest>) -> Result<Response<pb::Insight>, Status> {
        answer(self.insight(&request.get_ref().name).await)
    }

    async fn list_insights(
        &self,
        request: Request<pb::ListInsightsRequest>,
    ) -> Result<Response<pb::ListInsightsResponse>, Status> {
        let r = request.into_inner();
        let query = ListQuery {
            parent: &r.parent,
            page_size: r.page_size,
            page_token: &r.page_token,
            filter: &r.filter,
            order_by: &r.order_by,
            show_deleted: r.show_deleted,
        };
        let mut page = or_status(self.store.list::<Insights>(query).await)?;
        for insight in &mut page.items {
            refresh_strength(insight, self.store.now());
        }
        Ok(Response::new(pb::ListInsightsResponse { insights: page.items, next_page_token: page.next_page_token }))
    }

    async fn create_insight(
        &self,
        request: Request<pb::CreateInsightRequest>,
    ) -> Result<Response<pb::Insight>, Status> {
        let (call, r) = open(request)?;
        let assess = async |write: &mut Write, new| assess_insight(write, new, InsightEvent::Created).await;
        written(self.store.create::<Insights, _>(&call, &r.parent, &r.insight_id, r.insight, assess).await)
    }

    async fn batch_create_insights(
        &self,
        request: Request<pb::BatchCreateInsightsRequest>,
    ) -> Result<Response<pb::BatchCreateInsightsResponse>, Status> {
        let (call, r) = open(request)?;
        let rows = or_status(batch_rows(&r.parent, r.requests, |row| (row.parent, (row.insight_id, row.insight))))?;
        let assess = async |write: &mut Write, new| assess_insight(write, new, InsightEvent::Created).await;
        let reply =
            |batch: Batch<_>| pb::BatchCreateInsightsResponse { insights: batch.items, failures: batch.failures };
        written(self.store.batch_create::<Insights, _, _>(&call, &r.parent, rows, r.partial, assess, reply).await)
    }

    async fn update_insight(
        &self,
        request: Request<pb::UpdateInsightRequest>,
    ) -> Result<Response<pb::Insight>, Status> {
        let (call, r) = open(request)?;
        let assess = async |write: &mut Write, _, new| assess_insight(write, new, InsightEvent::Updated).await;
        written(self.store.update::<Insights, _>(&call, r.insight, r.update_mask, assess).await)
    }

    async fn delete_insight(
        &self,
        request: Request<pb::DeleteInsightRequest>,
    ) -> Result<Response<pb::Insight>, Status> {
        let (call, r) = open(request)?;
        let delete = async |_: &mut Write, old| Ok(Change::new(old, InsightEvent::Deleted));
        written(self.store.delete::<Insights, _>(&call, &r.name, &r.etag, delete).await)
    }

    async fn undelete_insight(
        &self,
        request: Request<pb::UndeleteInsightRequest>,
    ) -> Result<Response<pb::Insight>, Status> {
        let (call, r) = open(request)?;
        let assess = async |write: &mut Write, old| assess_insight(write, old, InsightEvent::Undeleted).await;
        written(self.store.undelete::<Insights, _>(&call, &r.name, &r.etag, assess).await)
    }

    async fn trace_evidence(
        &self,
        request: Request<pb::TraceEvidenceRequest>,
    ) -> Result<Response<pb::TraceEvidenceResponse>, Status> {
        answer(self.trace(&request.get_ref().name).await)
    }
}
