//! What stands in a file of limits, and what it must be.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Allowance, Rule, Rules};
use crate::settings::{Checked, SettingsError, wrong, yaml};

/// Units a second, of a burst or of a call, at most: more limits nothing.
const MOST: f64 = 1e9;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    replicas: Option<Spanned<u32>>,
    #[serde(default)]
    costs: BTreeMap<String, Spanned<f64>>,
    #[serde(default)]
    principals: Vec<Spanned<Of>>,
    #[serde(default)]
    workspaces: Vec<Spanned<Of>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    names: Spanned<Vec<Spanned<String>>>,
    rate: Spanned<f64>,
    burst: Option<Spanned<f64>>,
    watches: Option<Spanned<u32>>,
}

impl Rules {
    /// What stands in the file at `path`; calls of a kind that it does not name cost 1.
    pub(super) fn parse(path: &Path, content: &[u8], kinds: &[&'static str]) -> Result<Self, SettingsError> {
        let file: Spanned<File> = yaml(path, content)?;
        check(file, kinds).map_err(|wrong| wrong.of(path))
    }
}

fn check(file: Spanned<File>, kinds: &[&'static str]) -> Checked<Rules> {
    if file.value.principals.is_empty() && file.value.workspaces.is_empty() {
        return wrong(&file, "nobody would be limited: name `principals`, `workspaces` or both");
    }
    let file = file.value;
    let replicas = match file.replicas {
        Some(said) if said.value == 0 => return wrong(&said, "replicas: there is at least one"),
        Some(said) => f64::from(said.value),
        None => 1.0,
    };
    let mut costs = HashMap::new();
    for (name, cost) in file.costs {
        let Some(kind) = kinds.iter().find(|kind| **kind == name) else {
            return wrong(&cost, format!("costs: {name} is no kind of call; there are {}", kinds.join(", ")));
        };
        costs.insert(*kind, units("costs", &cost, 0.0)?);
    }
    let rules = |of: Vec<Spanned<Of>>| of.into_iter().map(|of| rule(of, replicas)).collect::<Checked<Vec<_>>>();
    let workspaces = file.workspaces;
    if let Some(watches) = workspaces.iter().find_map(|of| of.value.watches.as_ref()) {
        return wrong(watches, "watches: it is said of principals, not of workspaces");
    }
    Ok(Rules { costs, principals: rules(file.principals)?, workspaces: rules(workspaces)? })
}

fn rule(said: Spanned<Of>, replicas: f64) -> Checked<Rule> {
    let Of { names, rate, burst, watches } = said.value;
    if names.value.is_empty() {
        return wrong(&names, "names: name at least one, such as users/corp/* or \"*\" for all");
    }
    let pattern = |name: &Spanned<String>| {
        if name.value.is_empty() || name.value.matches('*').count() > 1 {
            return wrong(
                name,
                format!("names: each is a name in which one * stands for any: {:?} is not", name.value),
            );
        }
        Ok(name.value.clone())
    };
    let names = names.value.iter().map(pattern).collect::<Checked<Vec<_>>>()?;
    let of_rate = units("rate", &rate, f64::MIN_POSITIVE)? / replicas;
    let of_burst = match &burst {
        Some(burst) => units("burst", burst, 1.0)? / replicas,
        // What comes in ten seconds.
        None => of_rate * 10.0,
    };
    // A stream is open or not: a replica has one at least.
    let watches = watches.map(|watches| (f64::from(watches.value) / replicas).ceil() as u32);
    let allowance = Allowance { rate: of_rate, burst: of_burst.max(1.0) };
    Ok(Rule { names, allowance, watches })
}

fn units(field: &str, said: &Spanned<f64>, least: f64) -> Checked<f64> {
    if (least..=MOST).contains(&said.value) {
        return Ok(said.value);
    }
    let from = if least >= 1.0 {
        "1"
    } else if least > 0.0 {
        "more than 0"
    } else {
        "0"
    };
    wrong(said, format!("{field}: it must be a number of units from {from} to 1,000,000,000, not {}", said.value))
}
