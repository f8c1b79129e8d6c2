//! `make schema`: for each service and engine the statements that lead from its migrations to what it declares, to paste
//! into the files of the next migration. Prints nothing where both agree.

use waymark_testkit::{Engine, schema};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it is what this program is for")]
async fn main() -> anyhow::Result<()> {
    for (service, schema) in waymark_e2e::SCHEMAS {
        for engine in Engine::ALL {
            let statements = schema::missing(engine, schema).await?;
            if !statements.is_empty() {
                let number = schema.number() + 1;
                let engine = format!("{engine:?}").to_lowercase();
                println!(
                    "-- services/{service}/src/migrations/{number:04}_NAME.{engine}.sql\n{}\n",
                    statements.join("\n")
                );
            }
        }
    }
    Ok(())
}
