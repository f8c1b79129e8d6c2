//! `waymark policies`: what policies and bindings say, without a server: whether they are right, whether they say what
//! is expected, and why somebody may or may not.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use waymark_access::{Decision, Grant, Granted, Identity, Policies, Principal, Question, Resource, ResourceKind};
use waymark_clock::Clock;
use waymark_domain::{AnyName, WorkspaceId};

use crate::Usage;
use crate::settings::Settings;
use waymark_domain::text::nearest;

/// What can be done with policies.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check policies and bindings, as a server does at its start
    Check(Files),
    /// Ask questions of a file, and compare the answers with those that it expects
    ///
    /// deploy/policy-tests.example.yaml is such a file. The exit status is 1 where an answer is another.
    Test {
        /// The file with the questions, in YAML
        file: PathBuf,
        /// What they are asked of
        #[command(flatten)]
        files: Files,
    },
    /// Tell whether somebody may do something, by which policies, and what the bindings give
    Explain(Explain),
    /// Print the schema that policies are checked against: all actions, and what is told of a call
    Schema,
}

/// Policies and bindings.
#[derive(Debug, Args)]
pub struct Files {
    /// Folder of the policies, in Cedar, in files that end in .cedar; those of the roles when not given
    #[arg(long, env = "WAYMARK_POLICIES", value_name = "DIR")]
    policies: Option<PathBuf>,
    /// File that says who has which role where, as deploy/bindings.example.yaml explains
    #[arg(long, env = "WAYMARK_BINDINGS", value_name = "FILE")]
    bindings: PathBuf,
}

/// Options of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// Who asks, written as in logs, such as users/company/ada
    #[arg(long, short, value_name = "PRINCIPAL")]
    principal: String,
    /// A group it is in, such as groups/company/product; may be repeated
    #[arg(long, short, value_name = "GROUP")]
    group: Vec<String>,
    /// The RPC, such as StrategyService/GetProduct, or its method alone
    action: String,
    /// The workspace, or a product as workspaces/ID/products/ID; --workspace when not given
    #[arg(value_name = "WORKSPACE")]
    place: Option<String>,
    /// Ask as on a connection that shows a client certificate
    #[arg(long)]
    certified: bool,
    /// Ask as for a call that is to change nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    files: Files,
}

/// Runs a command.
pub async fn run(command: Command, settings: &Settings) -> Result<ExitCode> {
    match command {
        Command::Check(files) => check(&files.open().await?),
        Command::Test { file, files } => return test(&file, &files.open().await?).await,
        Command::Explain(options) => explain(&options, settings).await?,
        Command::Schema => {
            let schema = waymark_access::schema(waymark_runtime::policies::actions());
            crate::show(format_args!("{}", schema.trim_end()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Files {
    async fn open(&self) -> Result<Policies> {
        let actions = waymark_runtime::policies::actions();
        let opened = Policies::open(self.policies.as_deref(), &self.bindings, actions, Clock::system()).await;
        Ok(opened.map_err(|error| Usage(error.to_string()))?)
    }
}

fn check(policies: &Policies) {
    crate::show(format_args!("policies  {}", policies.ids().join(", ")));
    crate::show(format_args!("bindings  {}", policies.bindings()));
}

async fn test(path: &Path, policies: &Policies) -> Result<ExitCode> {
    let content = tokio::fs::read(path).await.with_context(|| path.display().to_string())?;
    let trials = policies.trials(path, &content).map_err(|error| Usage(error.to_string()))?;
    let mut failed = 0;
    for trial in &trials {
        let decision = policies.decide(&trial.question());
        if !trial.holds(&decision) {
            failed += 1;
            let (file, line, who) = (path.display(), trial.line, &trial.identity.principal);
            crate::show(format_args!(
                "{file}:{line}: {who} {}",
                sentence(&trial.action, trial.question().resource, &decision)
            ));
        }
    }
    crate::show(format_args!("{} of {} are as expected", trials.len() - failed, trials.len()));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn explain(options: &Explain, settings: &Settings) -> Result<()> {
    let who = |text: &str, group: bool| {
        let parsed = if group { Principal::parse_member(text) } else { Principal::parse(text) };
        let parsed = parsed
            .map_err(|error| Usage(format!("{text:?} is no {}: {error}", if group { "group" } else { "principal" })))?;
        if group && !text.starts_with("groups/") {
            bail!(Usage(format!("{text:?} is no group: it must be written as groups/ISSUER/GROUP")));
        }
        Ok(parsed)
    };
    let principal = who(&options.principal, false)?;
    let groups = options.group.iter().map(|group| who(group, true)).collect::<Result<_>>()?;
    let identity = Identity { principal, issuer: None, groups, token_id: None, expires: None };
    let policies = options.files.open().await?;
    let action = action(&policies, &options.action)?;
    let place = Place::of(policies.resource(action), options.place.as_deref(), settings)?;
    let audience = settings.audience.as_deref().map(|audience| place.audience(audience)).transpose()?;
    let decision = policies.decide(&Question {
        identity: &identity,
        certificate: options.certified,
        action,
        resource: place.resource(),
        audience: audience.as_deref(),
        validate_only: options.validate_only,
    });
    crate::show(format_args!("{} {}", identity.principal, sentence(action, place.resource(), &decision)));
    let (grants, at) = match place.resource().workspace() {
        Some(workspace) => (policies.grants_in(&identity, workspace), "there"),
        None => (policies.grants(&identity), "anywhere"),
    };
    if grants.is_empty() {
        crate::show(format_args!("no binding gives it anything {at}"));
    }
    for grant in grants {
        crate::show(format_args!("{}", line(&grant, &options.files.bindings)));
    }
    Ok(())
}

/// An action by its name or the end of it.
fn action<'a>(policies: &'a Policies, said: &str) -> Result<&'a str> {
    let unknown = |what: String| {
        let method = |name: &'a str| name.rsplit('/').next().unwrap_or(name);
        let near = nearest(said.rsplit('/').next().unwrap_or(said), policies.actions().map(method));
        Usage(near.map_or(what.clone(), |near| format!("{what}; is {near} meant?")))
    };
    Ok(policies.action(said).map_err(unknown)?)
}

/// Where something is to be done.
enum Place {
    Workspace(WorkspaceId),
    Product(AnyName),
    Nowhere,
}

impl Place {
    fn of(kind: Option<ResourceKind>, said: Option<&str>, settings: &Settings) -> Result<Self> {
        match kind {
            Some(ResourceKind::Installation) | None => Ok(Self::Nowhere),
            Some(ResourceKind::Product) => {
                let said = said.unwrap_or_default();
                let product = said.parse().ok().filter(|name: &AnyName| name.collection == "products");
                let wrong = || Usage(format!("{said:?} is no product: name one, as workspaces/acme/products/app"));
                Ok(Self::Product(product.ok_or_else(wrong)?))
            }
            Some(ResourceKind::Workspace) => {
                let id = match said {
                    Some(said) => said.strip_prefix("workspaces/").unwrap_or(said),
                    None => settings.workspace()?,
                };
                let workspace = WorkspaceId::from_id(id).map_err(|error| Usage(format!("no workspace: {error}")))?;
                Ok(Self::Workspace(workspace))
            }
        }
    }

    fn resource(&self) -> Resource<'_> {
        match self {
            Self::Workspace(workspace) => Resource::Workspace(workspace.id()),
            Self::Product(name) => Resource::Product { workspace: name.workspace.id(), product: name.id.as_str() },
            Self::Nowhere => Resource::Installation,
        }
    }

    /// The full name of an audience there.
    fn audience(&self, said: &str) -> Result<String> {
        let name = match self.resource().workspace() {
            Some(workspace) if !said.contains('/') => format!("workspaces/{workspace}/audiences/{said}"),
            Some(_) | None => said.to_owned(),
        };
        let parsed = name.parse().ok().filter(|name: &AnyName| name.collection == "audiences");
        let wrong =
            || Usage(format!("{said:?} is no audience: name one, as customers or workspaces/acme/audiences/customers"));
        Ok(parsed.ok_or_else(wrong)?.to_string())
    }
}

fn sentence(action: &str, resource: Resource<'_>, decision: &Decision) -> String {
    let place = match resource {
        Resource::Workspace(workspace) => format!(" in {workspace}"),
        Resource::Product { workspace, product } => format!(" of {product} in {workspace}"),
        Resource::Installation => String::new(),
    };
    let policies = decision.policies.join(", ");
    match decision {
        Decision { allowed: true, audience: None, .. } => format!("may {action}{place}, by {policies}"),
        Decision { allowed: true, audience: Some(audience), .. } => {
            format!("may {action}{place} and is shown what {audience} sees, by {policies}")
        }
        Decision { allowed: false, .. } if policies.is_empty() => {
            format!("may not {action}{place}: no policy allows it")
        }
        Decision { allowed: false, .. } => format!("may not {action}{place}: {policies} forbids it"),
    }
}

fn line(grant: &Grant, bindings: &Path) -> String {
    let given = match &grant.gives {
        Granted::Role(role) => format!("the role {}", role.name()),
        Granted::Audience(audience) => format!("the audience {audience}"),
    };
    format!("{given} by {}:{}, as {} in {}", bindings.display(), grant.line, grant.member, grant.workspaces)
}
