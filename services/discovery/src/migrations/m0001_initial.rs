//! Research and opportunity solution trees.

use sea_orm_migration::prelude::*;
use waymark_store::migrate::{foundation, table};

use crate::store::{AssumptionTests, Insights, Interviews, Opportunities, Outcomes, Participants, Solutions, Studies};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(
        elided_lifetimes_in_paths,
        reason = "the trait hides this lifetime; naming it would make it another signature"
    )]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        foundation(manager).await?;
        table::<Studies>(manager).await?;
        table::<Participants>(manager).await?;
        table::<Interviews>(manager).await?;
        table::<Insights>(manager).await?;
        table::<Outcomes>(manager).await?;
        table::<Opportunities>(manager).await?;
        table::<Solutions>(manager).await?;
        table::<AssumptionTests>(manager).await
    }
}
