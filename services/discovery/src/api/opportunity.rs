//! Opportunity solution trees: the standard methods of their nodes; what concerns whole trees is in `tree`.

use tonic::{Request, Response, Status};
use waymark_domain::Change;
use waymark_domain::discovery::{
    AssumptionTest, AssumptionTestEvent, Opportunity, OpportunityEvent, Outcome, OutcomeEvent, Solution, SolutionEvent,
};
use waymark_proto::discovery::v1 as pb;
use waymark_rpc::{answer, batch_rows, open, or_status, written};
use waymark_store::{Batch, Error, ListQuery, Write};

use super::{Api, change};
use crate::store::{
    AssumptionTests, Opportunities, Outcomes, Solutions, place_opportunity, place_solution, place_test,
};

#[tonic::async_trait]
impl pb::opportunity_service_server::OpportunityService for Api {
    async fn get_outcome(&self, request: Request<pb::GetOutcomeRequest>) -> Result<Response<pb::Outcome>, Status> {
        answer(self.store.get::<Outcomes>(&request.get_ref().name).await)
    }

    async fn list_outcomes(
        &self,
        request: Request<pb::ListOutcomesRequest>,
    ) -> Result<Response<pb::ListOutcomesResponse>, Status> {
        let r = request.into_inner();
        let query = ListQuery {
            parent: &r.parent,
            page_size: r.page_size,
            page_token: &r.page_token,
            filter: &r.filter,
            order_by: &r.order_by,
            show_deleted: r.show_deleted,
        };
        let page = or_status(self.store.list::<Outcomes>(query).await)?;
        Ok(Response::new(pb::ListOutcomesResponse { outcomes: page.items, next_page_token: page.next_page_token }))
    }

    async fn create_outcome(
        &self,
        request: Request<pb::CreateOutcomeRequest>,
    ) -> Result<Response<pb::Outcome>, Status> {
        let (call, r) = open(request)?;
        written(
            self.store
                .create_blind::<Outcomes, _>(&call, &r.parent, &r.outcome_id, r.outcome, |new| {
                    change(new, OutcomeEvent::Created)
                })
                .await,
        )
    }

    async fn batch_create_outcomes(
        &self,
        request: Request<pb::BatchCreateOutcomesRequest>,
    ) -> Result<Response<pb::BatchCreateOutcomesResponse>, Status> {
        let (call, r) = open(request)?;
        let rows = or_status(batch_rows(&r.parent, r.requests, |row| (row.parent, (row.outcome_id, row.outcome))))?;
        let keep = async |_: &mut Write, new| Ok(Change::new(new, OutcomeEvent::Created));
        let reply =
            |batch: Batch<_>| pb::BatchCreateOutcomesResponse { outcomes: batch.items, failures: batch.failures };
        written(self.store.batch_create::<Outcomes, _, _>(&call, &r.parent, rows, r.partial, keep, reply).await)
    }

    async fn update_outcome(
        &self,
        request: Request<pb::UpdateOutcomeRequest>,
    ) -> Result<Response<pb::Outcome>, Status> {
        let (call, r) = open(request)?;
        let update = async |_: &mut Write, _: Outcome, new| Ok(Change::new(new, OutcomeEvent::Updated));
        written(self.store.update::<Outcomes, _>(&call, r.outcome, r.update_mask, update).await)
    }

    async fn delete_outcome(
        &self,
        request: Request<pb::DeleteOutcomeRequest>,
    ) -> Result<Response<pb::Outcome>, Status> {
        let (call, r) = open(request)?;
        let delete = async |_: &mut Write, old| Ok(Change::new(old, OutcomeEvent::Deleted));
        written(self.store.delete::<Outcomes, _>(&call, &r.name, &r.etag, delete).await)
    }

    async fn undelete_outcome(
        &self,
        request: Request<pb::UndeleteOutcomeRequest>,
    ) -> Result<Response<pb::Outcome>, Status> {
        let (call, r) = open(request)?;
        written(
            self.store
                .undelete::<Outcomes, _>(&call, &r.name, &r.etag, async |_, old| {
                    Ok(Change::new(old, OutcomeEvent::Undeleted))
                })
                .await,
        )
    }

    async fn get_opportunity(
        &self,
        request: Request<pb::GetOpportunityRequest>,
    ) -> Result<Response<pb::Opportunity>, Status> {
        answer(self.store.get::<Opportunities>(&request.get_ref().name).await)
    }

    async fn list_opportunities(
        &self,
        request: Request<pb::ListOpportunitiesRequest>,
    ) -> Result<Response<pb::ListOpportunitiesResponse>, Status> {
        let r = request.into_inner();
        let query = ListQuery {
            parent: &r.parent,
            page_size: r.page_size,
            page_token: &r.page_token,
            filter: &r.filter,
            order_by: &r.order_by,
            show_deleted: r.show_deleted,
        };
        let page = or_status(self.store.list::<Opportunities>(query).await)?;
        Ok(Response::new(pb::ListOpportunitiesResponse {
            opportunities: page.items,
            next_page_token: page.next_page_token,
        }))
    }

    async fn create_opportunity(
        &self,
        request: Request<pb::CreateOpportunityRequest>,
    ) -> Result<Response<pb::Opportunity>, Status> {
        let (call, r) = open(request)?;
        let place = async |write: &mut Write, new| place_opportunity(write, new, OpportunityEvent::Created).await;
        written(self.store.create::<Opportunities, _>(&call, &r.parent, &r.opportunity_id, r.opportunity, place).await)
    }

    async fn batch_create_opportunities(
        &self,
        request: Request<pb::BatchCreateOpportunitiesRequest>,
    ) -> Result<Response<pb::BatchCreateOpportunitiesResponse>, Status> {
        let (call, r) = open(request)?;
        let rows =
            or_status(batch_rows(&r.parent, r.requests, |row| (row.parent, (row.opportunity_id, row.opportunity))))?;
        let place = async |write: &mut Write, new| place_opportunity(write, new, OpportunityEvent::Created).await;
        let reply = |batch: Batch<_>| pb::BatchCreateOpportunitiesResponse {
            opportunities: batch.items,
            failures: batch.failures,
        };
        written(self.store.batch_create::<Opportunities, _, _>(&call, &r.parent, rows, r.partial, place, reply).await)
    }

    async fn update_opportunity(
        &self,
        request: Request<pb::UpdateOpportunityRequest>,
    ) -> Result<Response<pb::Opportunity>, Status> {
        let (call, r) = open(request)?;
        let keep = async |_: &mut Write, _: Opportunity, new| Ok(Change::new(new, OpportunityEvent::Updated));
        written(self.store.update::<Opportunities, _>(&call, r.opportunity, r.update_mask, keep).await)
    }

    async fn delete_opportunity(
        &self,
        request: Request<pb::DeleteOpportunityRequest>,
    ) -> Result<Response<pb::Opportunity>, Status> {
        let (call, r) = open(request)?;
        let delete = async |_: &mut Write, old| Ok(Change::new(old, OpportunityEvent::Deleted));
        written(self.store.delete::<Opportunities, _>(&call, &r.name, &r.etag, delete).await)
    }

    async fn undelete_opportunity(
        &self,
        request: Request<pb::UndeleteOpportunityRequest>,
    ) -> Result<Response<pb::Opportunity>, Status> {
        let (call, r) = open(request)?;
        let place = async |write: &mut Write, old| place_opportunity(write, old, OpportunityEvent::Undeleted).await;
        written(self.store.undelete::<Opportunities, _>(&call, &r.name, &r.etag, place).await)
    }

    async fn get_solution(&self, request: Request<pb::GetSolutionRequest>) -> Result<Response<pb::Solution>, Status> {
        answer(self.store.get::<Solutions>(&request.get_ref().name).await)
    }

    async fn list_solutions(
        &self,
        request: Request<pb::ListSolutionsRequest>,
    ) -> Result<Response<pb::ListSolutionsResponse>, Status> {
        let r = request.into_inner();
        let query = ListQuery {
            parent: &r.parent,
            page_size: r.page_size,
            page_token: &r.page_token,
            filter: &r.filter,
            order_by: &r.order_by,
            show_deleted: r.show_deleted,
        };
        let page = or_status(self.store.list::<Solutions>(query).await)?;
        Ok(Response::new(pb::ListSolutionsResponse { solutions: page.items, next_page_token: page.next_page_token }))
    }

    async fn create_solution(
        &self,
        request: Request<pb::CreateSolutionRequest>,
    ) -> Result<Response<pb::Solution>, Status> {
        let (call, r) = open(request)?;
        let place = async |write: &mut Write, new| place_solution(write, new, SolutionEvent::Created).await;
        written(self.store.create::<Solutions, _>(&call, &r.parent, &r.solution_id, r.solution, place).await)
    }

    async fn batch_create_solutions(
        &self,
        request: Request<pb::BatchCreateSolutionsRequest>,
    ) -> Result<Response<pb::BatchCreateSolutionsResponse>, Status> {
        let (call, r) = open(request)?;
        let rows = or_status(batch_rows(&r.parent, r.requests, |row| (row.parent, (row.solution_id, row.solution))))?;
        let place = async |write: &mut Write, new| place_solution(write, new, SolutionEvent::Created).await;
        let reply =
            |batch: Batch<_>| pb::BatchCreateSolutionsResponse { solutions: batch.items, failures: batch.failures };
        written(self.store.batch_create::<Solutions, _, _>(&call, &r.parent, rows, r.partial, place, reply).await)
    }

    async fn update_solution(
        &self,
        request: Request<pb::UpdateSolutionRequest>,
    ) -> Result<Response<pb::Solution>, Status> {
        let (call, r) = open(request)?;
        let keep = async |_: &mut Write, _: Solution, new| Ok(Change::new(new, SolutionEvent::Updated));
        written(self.store.update::<Solutions, _>(&call, r.solution, r.update_mask, keep).await)
    }

    async fn delete_solution(
        &self,
        request: Request<pb::DeleteSolutionRequest>,
    ) -> Result<Response<pb::Solution>, Status> {
        let (call, r) = open(request)?;
        let delete = async |_: &mut Write, old| Ok(Change::new(old, SolutionEvent::Deleted));
        written(self.store.delete::<Solutions, _>(&call, &r.name, &r.etag, delete).await)
    }

    async fn undelete_solution(
        &self,
        request: Request<pb::UndeleteSolutionRequest>,
    ) -> Result<Response<pb::Solution>, Status> {
        let (call, r) = open(request)?;
        let place = async |write: &mut Write, old| place_solution(write, old, SolutionEvent::Undeleted).await;
        written(self.store.undelete::<Solutions, _>(&call, &r.name, &r.etag, place).await)
    }

    async fn validate_solution(
        &self,
        request: Request<pb::ValidateSolutionRequest>,
    ) -> Result<Response<pb::Solution>, Status> {
        let (call, r) = open(request)?;
        written(self.validate(&call, &r).await)
    }

    async fn get_assumption_test(
        &self,
        request: Request<pb::GetAssumptionTestRequest>,
    ) -> Result<Response<pb::AssumptionTest>, Status> {
        answer(self.store.get::<AssumptionTests>(&request.get_ref().name).await)
    }

    async fn list_assumption_tests(
        &self,
        request: Request<pb::ListAssumptionTestsRequest>,
    ) -> Result<Response<pb::ListAssumptionTestsResponse>, Status> {
        let r = request.into_inner();
        let query = ListQuery {
            parent: &r.parent,
            page_size: r.page_size,
            page_token: &r.page_token,
            filter: &r.filter,
            order_by: &r.order_by,
            show_deleted: r.show_deleted,
        };
        let page = or_status(self.store.list::<AssumptionTests>(query).await)?;
        Ok(Response::new(pb::ListAssumptionTestsResponse {
            assumption_tests: page.items,
            next_page_token: page.next_page_token,
        }))
    }

    async fn create_assumption_test(
        &self,
        request: Request<pb::CreateAssumptionTestRequest>,
    ) -> Result<Response<pb::AssumptionTest>, Status> {
        let (call, r) = open(request)?;
        let place = async |write: &mut Write, new| place_test(write, new, AssumptionTestEvent::Created).await;
        written(
            self.store
                .create::<AssumptionTests, _>(&call, &r.parent, &r.assumption_test_id, r.assumption_test, place)
                .await,
        )
    }

    async fn batch_create_assumption_tests(
        &self,
        request: Request<pb::BatchCreateAssumptionTestsRequest>,
    ) -> Result<Response<pb::BatchCreateAssumptionTestsResponse>, Status> {
        let (call, r) = open(request)?;
        let rows = or_status(batch_rows(&r.parent, r.requests, |row| {
            (row.parent, (row.assumption_test_id, row.assumption_test))
        }))?;
        let place = async |write: &mut Write, new| place_test(write, new, AssumptionTestEvent::Created).await;
        let reply = |batch: Batch<_>| pb::BatchCreateAssumptionTestsResponse {
            assumption_tests: batch.items,
            failures: batch.failures,
        };
        written(self.store.batch_create::<AssumptionTests, _, _>(&call, &r.parent, rows, r.partial, place, reply).await)
    }

    async fn update_assumption_test(
        &self,
        request: Request<pb::UpdateAssumptionTestRequest>,
    ) -> Result<Response<pb::AssumptionTest>, Status> {
        let (call, r) = open(request)?;
        let revise = async |_: &mut Write, old: AssumptionTest, new| old.revise(new).map_err(Error::rule);
        written(self.store.update::<AssumptionTests, _>(&call, r.assumption_test, r.update_mask, revise).await)
    }

    async fn delete_assumption_test(
        &self,
        request: Request<pb::DeleteAssumptionTestRequest>,
    ) -> Result<Response<pb::AssumptionTest>, Status> {
        let (call, r) = open(request)?;
        let delete = async |_: &mut Write, old| Ok(Change::new(old, AssumptionTestEvent::Deleted));
        written(self.store.delete::<AssumptionTests, _>(&call, &r.name, &r.etag, delete).await)
    }

    async fn undelete_assumption_test(
        &self,
        request: Request<pb::UndeleteAssumptionTestRequest>,
    ) -> Result<Response<pb::AssumptionTest>, Status> {
        let (call, r) = open(request)?;
        let place = async |write: &mut Write, old| place_test(write, old, AssumptionTestEvent::Undeleted).await;
        written(self.store.undelete::<AssumptionTests, _>(&call, &r.name, &r.etag, place).await)
    }

    async fn conclude_assumption_test(
        &self,
        request: Request<pb::ConcludeAssumptionTestRequest>,
    ) -> Result<Response<pb::AssumptionTest>, Status> {
        let (call, r) = open(request)?;
        written(self.conclude(&call, r).await)
    }

    async fn get_tree(&self, request: Request<pb::GetTreeRequest>) -> Result<Response<pb::GetTreeResponse>, Status> {
        answer(self.tree(request.into_inner()).await)
    }

    async fn lint_tree(&self, request: Request<pb::LintTreeRequest>) -> Result<Response<pb::LintTreeResponse>, Status> {
        answer(self.lint(request.into_inner()).await)
    }

    async fn assess_risks(
        &self,
        request: Request<pb::AssessRisksRequest>,
    ) -> Result<Response<pb::AssessRisksResponse>, Status> {
        answer(self.risks(request.into_inner()).await)
    }

    async fn move_node(&self, request: Request<pb::MoveNodeRequest>) -> Result<Response<pb::TreeNode>, Status> {
        let (call, r) = open(request)?;
        written(self.relocate(&call, r).await)
    }

    async fn prune_node(&self, request: Request<pb::PruneNodeRequest>) -> Result<Response<pb::TreeNode>, Status> {
        let (call, r) = open(request)?;
        written(self.prune(&call, r).await)
    }
}
