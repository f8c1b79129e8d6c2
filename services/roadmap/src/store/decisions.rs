//! Decisions: their table, and what is written besides when one is made or an initiative is declined.

use chrono::SecondsFormat;
use waymark_domain::roadmap::decision::Decision;
use waymark_domain::roadmap::{Decline, Initiative, InitiativeState};
use waymark_domain::{AnyName, Name};
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Draft, Error, Rule, Ruled, Rules, Table, Write};

use super::Initiatives;

/// The column of the day from which a decision is to be looked at again.
pub const DUE: &str = "due";

/// The column of the time since when something is not built.
pub const NOT_BUILT_SINCE: &str = "not_built_since";

/// Decisions.
pub struct Decisions;

impl Table for Decisions {
    type Resource = Decision;
    type Message = pb::Decision;
    const TABLE: &'static str = "decisions";
    const COLUMNS: Columns<Decision> = &[
        Column::choice("state", pb::DecisionState::NAMES, |d| Some(d.state.name())),
        Column::text("owner", |d| Some(d.owner.clone())),
        Column::text("review_date", |d| d.review_date.map(|date| date.to_string())),
        Column::text(DUE, |d: &Decision| live(d)?.due().map(|date| date.to_string())).indexed().unlisted(),
        Column::text(NOT_BUILT_SINCE, |d: &Decision| {
            let since = live(d)?.state.choice()?.time;
            // Of one length, so texts are in the order of times.
            d.is_not_building().then(|| since.to_rfc3339_opts(SecondsFormat::Micros, true))
        })
        .indexed()
        .unlisted(),
    ];
}

fn live(decision: &Decision) -> Option<&Decision> {
    decision.meta.delete_time.is_none().then_some(decision)
}

impl Ruled for Decisions {
    const RULES: Rules<Self> = Rules {
        create: Rule::Alone(|decision: Decision| Ok(decision.propose())),
        update: Rule::Alone(|(old, new): (Decision, Decision)| new.revise(&old).map_err(Error::rule)),
        ..Rules::PLAIN
    };
}

/// Puts a decision that was made, and what becomes of the one that it supersedes.
pub async fn supersede(write: &mut Write, made: &Decision) -> Result<(), Error> {
    if let Some(before) = &made.supersedes {
        let before = write.load::<Decisions>(before, "").await?;
        write.put::<Decisions>(before.supersede(&made.meta.name).map_err(Error::rule)?)?;
    }
    Ok(())
}

/// The name of a decision that is made now, unless another is named.
pub fn new_name(draft: &Draft) -> Result<AnyName, Error> {
    let id = draft.new_id().simple().to_string().parse().map_err(Error::bug)?;
    Ok(Name::<Decision>::new(draft.workspace().clone(), id).any())
}

/// Makes sure of the decision by which an initiative is declined. Where there is none of that name, the reference to it is
/// refused.
pub async fn must_decline(write: &mut Write, name: &AnyName) -> Result<(), Error> {
    match write.find::<Decisions>(&Name::new(name.workspace.clone(), name.id.clone())).await? {
        Some(decision) => decision.must_decline().map_err(Error::rule),
        None => Ok(()),
    }
}

/// Puts the decision that an initiative is not built, under the name by which the initiative was declined.
pub fn not_to_build(write: &mut Write, initiative: &Initiative) -> Result<(), Error> {
    let InitiativeState::Declined(decline) = &initiative.state else { return Ok(()) };
    let Some(name) = &decline.decision else { return Ok(()) };
    let display_name = format!("Not building: {}", initiative.meta.display_name);
    let message = pb::Decision {
        display_name: display_name.chars().take(pb::Decision::DISPLAY_NAME_MOST).collect(),
        question: initiative.meta.display_name.clone(),
        ..Default::default()
    };
    let meta = write.fresh::<Decisions>(name.id.as_str(), message)?.meta;
    write.put::<Decisions>(Decision::not_to_build(meta, initiative, decline))?;
    Ok(())
}

/// What becomes of the decision not to build an initiative that is taken up again. One about that alone is superseded by one
/// that says so; what was decided about others, too, stands.
pub async fn taken_up_again(
    write: &mut Write,
    initiative: &Initiative,
    decline: &Decline,
    by: &str,
) -> Result<(), Error> {
    let Some(name) = &decline.decision else { return Ok(()) };
    let name = Name::<Decision>::new(name.workspace.clone(), name.id.clone());
    let Some(decision) = write.find::<Decisions>(&name).await? else { return Ok(()) };
    if decision.is_not_building() && decision.decides == [initiative.meta.name.full()].into() {
        let message = pb::Decision {
            display_name: decision.meta.display_name.clone(),
            question: decision.question.clone(),
            ..Default::default()
        };
        let meta = write.fresh::<Decisions>("", message)?.meta;
        let again = Decision::to_take_up_again(meta, decision.clone(), by.to_owned(), write.now());
        supersede(write, again.state()).await?;
        write.put::<Decisions>(again)?;
    }
    Ok(())
}

/// Writes down the decision of an initiative that was declined before decisions were kept.
pub async fn write_down(write: &mut Write, id: &str) -> Result<(), Error> {
    let id = id.parse().map_err(Error::bug)?;
    let Some(initiative) = write.find::<Initiatives>(&Name::new(write.workspace().clone(), id)).await? else {
        return Ok(());
    };
    if let Some(change) = initiative.declined_by(new_name(write)?) {
        not_to_build(write, change.state())?;
        write.put::<Initiatives>(change)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use waymark_domain::roadmap::Declining;
    use waymark_store::Store;
    use waymark_testkit::sample::{call, workspace};
    use waymark_testkit::{Engine, database, host};

    use super::*;
    use crate::SCHEMA;

    #[tokio::test]
    async fn what_was_declined_before_decisions_were_kept_gets_one_once() {
        for engine in Engine::each() {
            let (host, _) = host(3);
            let database = database(engine, "decisions", async |addresses| addresses.migrate(&SCHEMA).await);
            let database = database.await.unwrap();
            let store = Store::connect(&database.options(), &host.clock, &host.ids).await.unwrap().keeping(&SCHEMA);
            let decline = async |write: &mut Write| {
                let message = pb::Initiative { display_name: "Export".into(), ..Default::default() };
                let initiative = write.fresh::<Initiatives>("export", message)?;
                let declining = Declining {
                    reason: "nobody asks".into(),
                    evidence: Vec::new(),
                    what_would_change_our_mind: "ten ask".into(),
                    review_date: None,
                    waive_dependencies: String::new(),
                    decision: None,
                };
                let declined =
                    initiative.decline(declining, [], "users/ada".into(), write.now()).map_err(Error::rule)?;
                write.put::<Initiatives>(declined)
            };
            store.write(&call(), &workspace(), decline).await.unwrap();
            for _ in 0..2 {
                let again = async |write: &mut Write| {
                    write_down(write, "export").await?;
                    let name = Name::<Initiative>::new(workspace(), "export".parse().map_err(Error::bug)?);
                    let initiative = write.find::<Initiatives>(&name).await?;
                    initiative.map(|i| pb::Initiative::from(&i)).ok_or_else(|| Error::bug("it is gone"))
                };
                let initiative = store.write(&call(), &workspace(), again).await.unwrap().message;
                let decision = initiative.decline.unwrap().decision;
                let decision = store.get::<Decisions>(&decision).await.unwrap();
                assert_eq!(decision.state(), pb::DecisionState::Decided);
                assert_eq!(decision.kill_criteria[0].statement, "ten ask");
                assert_eq!(store.all::<Decisions>(&workspace()).await.unwrap().len(), 1);
            }
            store.close().await.unwrap();
        }
    }
}
