//! The log and the tables of products, initiatives and estimates.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};
use waymark_store::migrate;

use crate::store::{Estimates, Initiatives, Products};

pub(super) struct Initial;

impl MigrationName for Initial {
    fn name(&self) -> &'static str {
        "m0001_initial"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Initial {
    #[expect(elided_lifetimes_in_paths, reason = "the trait is declared so")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        migrate::foundation(manager).await?;
        migrate::table::<Products>(manager).await?;
        migrate::table::<Initiatives>(manager).await?;
        migrate::table::<Estimates>(manager).await
    }
}
