//! The service's schema, step by step. A step that has been released is never changed.

use sea_orm_migration::prelude::*;

mod m0001_initial;

/// All steps in order.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_initial::Migration)]
    }
}
