//! The schema of the service, in the order it came to be. A migration that has shipped is never edited.

mod initial;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// All migrations.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(initial::Initial)]
    }
}
