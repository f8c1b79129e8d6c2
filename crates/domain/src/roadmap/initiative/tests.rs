//! Sequences of decisions against a table of what is allowed, and the rules one by one.

use chrono::{TimeDelta, TimeZone};
use proptest::prelude::*;

use super::*;
use crate::{Failure, Reason, Resource};

pub(crate) fn initiative(id: &str) -> Initiative {
    let now = at(0);
    Initiative {
        meta: Meta {
            name: format!("workspaces/w/initiatives/{id}").parse().unwrap(),
            uid: uuid::Uuid::nil(),
            display_name: id.to_owned(),
            labels: BTreeMap::new(),
            version: 1,
            create_time: now,
            update_time: now,
            delete_time: None,
        },
        product: None,
        problem: String::new(),
        hypothesis: String::new(),
        horizon: Horizon::Later,
        target: None,
        owner: String::new(),
        evidence: Vec::new(),
        risks: BTreeMap::new(),
        expected_outcome: None,
        dependencies: BTreeSet::new(),
        state: InitiativeState::Proposed,
        rank_change: None,
        priority: None,
        dependency_waivers: BTreeMap::new(),
        key_results: BTreeSet::new(),
        audiences: BTreeSet::new(),
    }
}

fn at(minutes: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn evidence(id: &str) -> Evidence {
    Evidence {
        target: format!("//discovery.waymark.dev/workspaces/w/insights/{id}").parse().unwrap(),
        note: String::new(),
    }
}

fn outcome() -> ActualOutcome {
    let outcome = "//metrics.waymark.dev/workspaces/w/outcomes/o".parse().unwrap();
    ActualOutcome { outcome, verdict: Verdict::Met, measured: None, time: at(0) }
}

fn declining() -> Declining {
    Declining {
        reason: "no budget".into(),
        evidence: Vec::new(),
        what_would_change_our_mind: "a customer pays for it".into(),
        review_date: None,
        waive_dependencies: String::new(),
        decision: None,
    }
}

fn waived(mut initiative: Initiative) -> Initiative {
    for risk in Risk::ALL {
        initiative = initiative.waive_risk(*risk, "small".into(), "users/ada".into(), at(0)).unwrap().into_parts().0;
    }
    initiative
}

#[derive(Debug, Clone, Copy)]
enum Command {
    Waive,
    Commit,
    Start,
    Ship,
    Measure,
    Decline,
    Pause,
    Resume,
    Schedule,
    Move,
}

const COMMANDS: [Command; 10] = [
    Command::Waive,
    Command::Commit,
    Command::Start,
    Command::Ship,
    Command::Measure,
    Command::Decline,
    Command::Pause,
    Command::Resume,
    Command::Schedule,
    Command::Move,
];

fn run(
    initiative: Initiative,
    command: Command,
    now: DateTime<Utc>,
) -> Result<crate::Change<Initiative>, InitiativeError> {
    let by = || "users/ada".to_owned();
    match command {
        Command::Waive => initiative.waive_risk(Risk::Value, "small".into(), by(), now),
        Command::Commit => initiative.commit(by(), now),
        Command::Start => initiative.start([], None, now),
        Command::Ship => initiative.ship([], None, now),
        Command::Measure => initiative.measure(outcome()),
        Command::Decline => initiative.decline(declining(), [], by(), now),
        Command::Pause => initiative.pause("later".into(), now),
        Command::Resume => initiative.resume(),
        Command::Schedule => initiative.schedule(None),
        Command::Move => initiative.relocate(Horizon::Now),
    }
}

/// The state after a command, by the contract's comments; `None` when it is refused. `before` is the state a pause
/// returns to.
fn allowed(state: &str, command: Command, before: &'static str) -> Option<&'static str> {
    let same = || ["PROPOSED", "COMMITTED", "IN_PROGRESS", "PAUSED"].into_iter().find(|s| *s == state);
    match (command, state) {
        (Command::Commit, "PROPOSED") => Some("COMMITTED"),
        (Command::Start, "COMMITTED") => Some("IN_PROGRESS"),
        (Command::Ship, "IN_PROGRESS") => Some("SHIPPED"),
        (Command::Measure, "SHIPPED" | "MEASURED") => Some("MEASURED"),
        (Command::Decline, "PROPOSED" | "COMMITTED" | "IN_PROGRESS" | "PAUSED") => Some("DECLINED"),
        (Command::Pause, "COMMITTED" | "IN_PROGRESS") => Some("PAUSED"),
        (Command::Resume, "PAUSED") => Some(before),
        (Command::Resume, "DECLINED") => Some("PROPOSED"),
        (Command::Waive | Command::Schedule | Command::Move, _) => same(),
        _ => None,
    }
}

proptest! {
    #[test]
    fn any_sequence_follows_the_table(commands in proptest::collection::vec(0..COMMANDS.len(), 0..30)) {
        let mut initiative = waived(initiative("a"));
        let mut before = "PROPOSED";
        for (step, command) in commands.into_iter().map(|i| COMMANDS[i]).enumerate() {
            let state: &'static str = (&initiative.state).into();
            let result = run(initiative.clone(), command, at(step as i64));
            match (allowed(state, command, before), result) {
                (Some(next), Ok(change)) => {
                    if matches!(command, Command::Pause) {
                        before = state;
                    }
                    initiative = change.into_parts().0;
                    prop_assert_eq!(initiative.state.to_string(), next, "{:?} in {}", command, state);
                }
                (None, Err(error)) => {
                    prop_assert_eq!(error.reason(), Reason::StateConflict);
                    prop_assert!(error.metadata().contains(&("state", state.to_owned())));
                }
                (expected, got) => prop_assert!(false, "{:?} in {}: expected {:?}, got {:?}", command, state, expected, got.map(|c| c.into_parts().0.state)),
            }
            let now: &str = (&initiative.state).into();
            prop_assert_eq!(initiative.state.ship_time().is_some(), matches!(now, "SHIPPED" | "MEASURED"));
            if matches!(now, "COMMITTED" | "IN_PROGRESS" | "SHIPPED" | "MEASURED" | "PAUSED") {
                prop_assert!(initiative.state.commitment().is_some() && initiative.open_risks().is_empty());
            }
            if now == "PROPOSED" {
                prop_assert!(initiative.state.commitment().is_none());
            }
            prop_assert_eq!(initiative.meta().version, 1, "only the store counts versions");
        }
    }
}

#[test]
fn commit_needs_evidence_or_a_waiver_for_each_risk() {
    let mut initiative = initiative("a");
    initiative.risks.entry(Risk::Value).or_default().evidence.push(evidence("x"));
    let initiative = initiative
        .waive_risk(Risk::Viability, "legal said yes".into(), "users/ada".into(), at(1))
        .unwrap()
        .into_parts()
        .0;
    let error = initiative.clone().commit("users/ada".into(), at(2)).unwrap_err();
    assert_eq!(error.reason(), Reason::RisksOpen);
    let rules: Vec<String> = error.violations().into_iter().map(|v| v.field).collect();
    assert_eq!(rules, ["risks.USABILITY", "risks.FEASIBILITY"]);
    let change = waived(initiative).commit("users/bob".into(), at(3)).unwrap();
    assert_eq!(change.events(), [InitiativeEvent::Committed]);
    assert_eq!(change.state().state, InitiativeState::Committed(Commitment { by: "users/bob".into(), time: at(3) }));
}

#[test]
fn callers_cannot_forge_or_drop_waivers() {
    let waiver = Waiver { reason: "mine".into(), signed_by: "users/eve".into(), time: at(0) };
    let mut forged = initiative("a");
    forged.risks.insert(Risk::Value, RiskAssessment { evidence: Vec::new(), waiver: Some(waiver.clone()) });
    assert_eq!(forged.clone().propose().state().open_risks().len(), 4);

    let signed = waived(initiative("a"));
    let mut update = signed.clone();
    update.risks.clear();
    assert_eq!(
        update.revise(&signed).unwrap().state().risks,
        signed.risks,
        "an update that leaves waivers out keeps them"
    );
    assert_eq!(forged.revise(&initiative("a")).unwrap().state().open_risks().len(), 4);
}

#[test]
fn updates_leave_alone_what_has_its_own_method_or_is_on_record() {
    let old = initiative("a");
    let moved = Initiative { horizon: Horizon::Now, ..old.clone() };
    assert_eq!(moved.revise(&old), Err(InitiativeError::OwnMethod { field: "horizon", method: "MoveInitiative" }));
    let expected = ExpectedOutcome {
        metric: "//metrics.waymark.dev/workspaces/w/metrics/m".parse().unwrap(),
        change: Range::new(0.0, 0.1, 0.2).unwrap(),
        window_days: 28,
    };
    let with_outcome = Initiative { expected_outcome: Some(expected.clone()), ..old.clone() };
    assert!(with_outcome.clone().revise(&old).is_ok());
    let committed = waived(with_outcome).commit("users/ada".into(), at(0)).unwrap().into_parts().0;
    let rewritten = Initiative { expected_outcome: None, ..committed.clone() };
    assert_eq!(rewritten.revise(&committed).unwrap_err().reason(), Reason::RuleViolated);
}

#[test]
fn a_review_is_not_in_the_past() {
    let yesterday = Declining { review_date: at(0).date_naive().pred_opt(), ..declining() };
    assert!(matches!(
        initiative("a").decline(yesterday, [], "users/ada".into(), at(0)),
        Err(InitiativeError::ReviewInPast(_))
    ));
    let today = Declining { review_date: Some(at(0).date_naive()), ..declining() };
    assert!(initiative("a").decline(today, [], "users/ada".into(), at(0)).is_ok());
}

#[test]
fn dependencies_are_added_once() {
    let b = initiative("b").meta.name;
    let a = initiative("a").add_dependency(b.clone()).unwrap().into_parts().0;
    assert!(matches!(a.clone().add_dependency(b.clone()), Err(InitiativeError::AlreadyDepends { .. })));
    let a = a.remove_dependency(b.clone()).unwrap().into_parts().0;
    assert!(matches!(a.remove_dependency(b), Err(InitiativeError::NotDependent { .. })));
}

/// An initiative that is being built.
fn underway(id: &str) -> Initiative {
    let committed = waived(initiative(id)).commit("users/ada".into(), at(0)).unwrap().into_parts().0;
    committed.start([], None, at(1)).unwrap().into_parts().0
}

#[test]
fn what_must_ship_before_ships_before_or_somebody_signs() {
    let (building, declined) = (underway("b"), initiative("c").decline(declining(), [], "users/ada".into(), at(0)));
    let (declined, shipped) = (declined.unwrap().into_parts().0, underway("d").ship([], None, at(2)).unwrap());
    let before = [building, declined, shipped.into_parts().0];
    let early = underway("a").ship(&before, None, at(3)).unwrap_err();
    assert_eq!((early.kind(), early.reason()), (crate::FailureKind::Refused, Reason::RuleViolated));
    let named: Vec<String> = early.violations().into_iter().map(|v| v.description).collect();
    assert_eq!(named, ["workspaces/w/initiatives/b is IN_PROGRESS", "workspaces/w/initiatives/c is DECLINED"]);
    assert!(early.to_string().contains("waive_dependencies"), "{early}");
    assert!(underway("a").ship(&before[2..], None, at(3)).unwrap().state().dependency_waivers.is_empty());

    let waiver = Waiver::signed("a customer waits".into(), "users/ada", at(3));
    let signed = underway("a").ship(&before, waiver.clone(), at(3)).unwrap().into_parts().0;
    let kept = &signed.dependency_waivers[&InitiativeStep::Ship];
    assert_eq!((kept.initiatives.len(), Some(&kept.waiver)), (2, waiver.as_ref()));
    assert_eq!(Waiver::signed(String::new(), "users/ada", at(3)), None);
}

#[test]
fn what_others_wait_for_is_not_declined_in_silence() {
    let waiting = [initiative("b"), underway("c").ship([], None, at(2)).unwrap().into_parts().0];
    let decline = |reason: &str| {
        let declining = Declining { waive_dependencies: reason.into(), ..declining() };
        initiative("a").decline(declining, &waiting, "users/ada".into(), at(3))
    };
    let refused = decline("").unwrap_err();
    assert_eq!(refused.violations().len(), 1, "what has shipped waits no longer: {refused}");
    let signed = decline("they will do without").unwrap().into_parts().0;
    assert_eq!(signed.dependency_waivers[&InitiativeStep::Decline].waiver.reason, "they will do without");
}

#[test]
fn evidence_for_risks_is_added_once() {
    let found = [(Risk::Value, evidence("x")), (Risk::Value, evidence("x")), (Risk::Usability, evidence("x"))];
    let initiative = initiative("a").add_risk_evidence(found.clone()).unwrap().into_parts().0;
    assert_eq!(initiative.open_risks(), [Risk::Feasibility, Risk::Viability]);
    assert_eq!(initiative.risks[&Risk::Value].evidence.len(), 1);
    assert_eq!(initiative.add_risk_evidence(found), None);
}
