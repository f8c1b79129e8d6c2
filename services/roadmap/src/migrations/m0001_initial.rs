//! The log, and the tables of products, initiatives and estimates.

use sea_orm_migration::prelude::*;
use waymark_store::migrate::{foundation, table};

use crate::store::{Estimates, Initiatives, Products};

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
        table::<Products>(manager).await?;
        table::<Initiatives>(manager).await?;
        table::<Estimates>(manager).await
    }
}
