//! `make schema`: for each service the statements that lead from its migrations to what it declares, to paste into the
//! file of the next migration, or into two where the engines need other ones. Prints nothing where both agree.

use waymark_testkit::{Engine, schema};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it is what this program is for")]
async fn main() -> anyhow::Result<()> {
    for (service, schema) in waymark_e2e::SCHEMAS {
        let file = format!("-- services/{service}/src/migrations/{:04}_NAME", schema.number() + 1);
        let mut files = Vec::new();
        for engine in Engine::ALL {
            files.push((format!(".{engine:?}").to_lowercase(), schema::missing(engine, schema).await?));
        }
        if files.windows(2).all(|two| two[0].1 == two[1].1) {
            files = files.pop().map(|(_, both)| (String::new(), both)).into_iter().collect();
        }
        for (engine, statements) in files.iter().filter(|(_, statements)| !statements.is_empty()) {
            println!("{file}{engine}.sql\n{}\n", statements.join("\n"));
        }
    }
    Ok(())
}
