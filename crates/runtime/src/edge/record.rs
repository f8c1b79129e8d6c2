//! What is recorded of a call: made where it is decided on, ended when the call has.
//!
//! Nothing is made of a call that reads or writes and is allowed.

use std::net::IpAddr;
use std::time::Duration;

use http::Request;
use http::header::USER_AGENT;
use tonic::Code;
use tonic::body::Body;
use tonic_types::ErrorInfo;
use tracing::Span;
use waymark_domain::WorkspaceId;
use waymark_proto::convert::timestamp;
use waymark_proto::{Access, CallKind, RpcMethod, Target};
use waymark_rpc::status::Reason;

use super::caller::Caller;
use crate::audit::{Audit, AuditDecision, AuditEntry};
use crate::peer::Peer;
use crate::propagation;
use crate::proxies::Proxies;

/// Characters of what a program says of itself, and of the id of a token.
const MOST: usize = 256;
/// Bytes of a request id: a UUID.
const REQUEST_ID: usize = 36;

/// Records what an edge decides.
#[derive(Debug)]
pub(super) struct Recorder {
    audit: Option<Audit>,
    proxies: Proxies,
}

/// A call that is recorded when it has ended.
#[derive(Debug)]
pub(super) struct Record {
    audit: Audit,
    entry: AuditEntry,
    network: Option<IpAddr>,
    /// Whether it is recorded when it is allowed.
    when_allowed: bool,
    /// What is wrong with credentials.
    refusal: Option<String>,
}

impl Recorder {
    /// Records nothing where there is no audit.
    pub(super) fn new(audit: Option<Audit>, proxies: Proxies) -> Self {
        Self { audit, proxies }
    }

    /// Where a call comes from, of which a proxy that is believed may tell; none but in tests without connections.
    pub(super) fn client(&self, request: &Request<Body>) -> Option<Peer> {
        let Peer { address, .. } = request.extensions().get().copied()?;
        Some(Peer::at((self.proxies.client(address.ip(), request.headers()), address.port()).into()))
    }

    /// A record of an RPC, where somebody wants one.
    pub(super) fn of(&self, method: &RpcMethod, request: &Request<Body>) -> Option<Box<Record>> {
        let record = self.of_action(|| format!("{}/{}", method.service, method.method), request);
        record.map(|record| Box::new(Record { when_allowed: needs_record(method.access), ..record }))
    }

    /// The same of what is no RPC with a rule; it is known by its path, which the contract or the server has.
    pub(super) fn of_path(&self, request: &Request<Body>) -> Option<Box<Record>> {
        self.of_action(|| request.uri().path().trim_start_matches('/').to_owned(), request).map(Box::new)
    }

    /// What connection and headers tell.
    fn of_action(&self, action: impl Fn() -> String, request: &Request<Body>) -> Option<Record> {
        let (audit, headers) = (self.audit.clone()?, request.headers());
        let client = self.client(request);
        let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let given = headers.get(propagation::TRACEPARENT).and_then(|value| value.to_str().ok());
        let entry = AuditEntry {
            time: Some(timestamp(audit.now())),
            workspace: WorkspaceId::installation().to_string(),
            peer: client.map(|client| client.address.ip().to_string()).unwrap_or_default(),
            // It is ASCII.
            user_agent: agent.get(..MOST).unwrap_or(agent).to_owned(),
            action: action(),
            trace_id: propagation::trace_id(&Span::current(), given).unwrap_or_default(),
            count: 1,
            ..AuditEntry::default()
        };
        let network = client.map(Peer::network);
        Some(Record { audit, entry, network, when_allowed: false, refusal: None })
    }
}

impl Record {
    /// Adds who calls, what for, and the policies that allow it.
    pub(super) fn decided<'a>(
        &mut self,
        caller: &Caller,
        method: &RpcMethod,
        message: &[u8],
        policies: impl IntoIterator<Item = &'a String>,
    ) {
        self.entry.principal.clone_from(&caller.actor.subject);
        if let Some(identity) = &caller.identity {
            identity.issuer.as_deref().unwrap_or_default().clone_into(&mut self.entry.issuer);
            self.entry.token_id = identity.token_id.iter().flat_map(|id| id.chars()).take(MOST).collect();
        }
        match method.aim.at(message) {
            Ok((Target::Workspace(workspace), _)) => self.entry.workspace = workspace.to_string(),
            Ok((Target::Product(product), _)) => self.entry.workspace = product.workspace.to_string(),
            Ok((Target::Installation, _)) | Err(_) => {}
        }
        // One that is none says nothing, and may be anything.
        let request_id = method.aim.request_id(message).filter(|id| id.len() == REQUEST_ID && is_uuid(id));
        request_id.unwrap_or_default().clone_into(&mut self.entry.request_id);
        self.entry.policies = policies.into_iter().cloned().collect();
    }

    /// Adds what a refusal says of itself.
    pub(super) fn told(&mut self, info: &ErrorInfo) {
        self.refusal = info.metadata.get("refusal").cloned();
        if let Some(policies) = info.metadata.get("policies").filter(|policies| !policies.is_empty()) {
            self.entry.policies = policies.split(',').map(str::to_owned).collect();
        }
    }

    /// Records how the call ended, if that is recorded.
    pub(super) fn end(mut self, code: Code, reason: Option<&str>, latency: Duration) {
        let is_refused = matches!(code, Code::Unauthenticated | Code::PermissionDenied)
            || reason == Some(Reason::RateLimited.name());
        if !is_refused && !self.when_allowed {
            return;
        }
        let reason = match (code, reason) {
            (Code::Ok, _) => "",
            (_, Some(reason)) => reason,
            // Nobody waits for the answer any more.
            (_, None) => "CANCELLED",
        };
        self.entry.reason = match self.refusal.filter(|_| is_refused) {
            Some(refusal) => format!("{reason}:{refusal}"),
            None => reason.to_owned(),
        };
        self.entry.latency = Some(latency.into());
        self.entry.decision = if is_refused { AuditDecision::Refused } else { AuditDecision::Allowed }.into();
        if is_refused {
            self.audit.refuse(self.entry, self.network);
        } else {
            self.audit.record(self.entry);
        }
    }
}

/// Whether a record is made of an RPC when it is allowed, be it that it may be refused while it goes on.
pub(super) fn is_recorded(method: &RpcMethod) -> bool {
    needs_record(method.access) || method.kind == CallKind::Watch
}

fn needs_record(access: Access) -> bool {
    match access {
        Access::Caller | Access::Read | Access::Write => false,
        Access::Manage | Access::Admin => true,
    }
}

fn is_uuid(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
