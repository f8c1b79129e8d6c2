//! Whether a caller may make a call, by policies: what the call is for is found in its message, which is read for that
//! before anything else sees it, and handed on as it was. So the decision falls before anybody knows whether there is
//! what is asked for.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes, BytesMut};
use http::Request;
use http_body::{Body as _, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use waymark_access::{Decision, Identity, Policies, Question, Resource};
use waymark_proto::{RpcMethod, Target};
use waymark_rpc::status::{DOMAIN, Reason};

use super::answer::{refuse, refuse_with};
use super::limits::BULK_MESSAGE_BYTES;

/// Bytes in front of a message: whether it is compressed, and how long it is.
const PREFIX: usize = 5;

/// A call that is decided on, and may be once more while it goes on.
#[derive(Debug, Clone)]
pub struct Asked {
    policies: Arc<Policies>,
    asking: Arc<Asking>,
    method: &'static RpcMethod,
    target: Target,
    validate_only: bool,
}

/// Who asks.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) identity: Arc<Identity>,
    /// Whether a client certificate was shown.
    pub(super) certified: bool,
    /// The audience as which is asked.
    pub(super) audience: Option<String>,
}

impl Asking {
    /// What a request asks for, and the request as it was.
    pub(super) async fn of(
        self,
        policies: &Arc<Policies>,
        method: &'static RpcMethod,
        request: Request<Body>,
    ) -> Result<(Asked, Request<Body>), Status> {
        let (head, body) = request.into_parts();
        let (message, body) = first_message(body).await?;
        let (target, validate_only) = method.aim.at(&message).map_err(|aimless| {
            let mut details = ErrorDetails::with_bad_request_violation(method.aim.path.clone(), aimless.to_string());
            details.set_error_info(Reason::InvalidField.name(), DOMAIN, HashMap::new());
            let message = format!("{}: {aimless}", method.aim.path);
            Status::with_error_details(Code::InvalidArgument, message, details)
        })?;
        let asked = Asked { policies: Arc::clone(policies), asking: self.into(), method, target, validate_only };
        Ok((asked, Request::from_parts(head, body)))
    }
}

impl Asked {
    /// Whether the caller may still call, as one who is shown the same.
    pub(super) fn holds(&self, audience: Option<&str>) -> bool {
        self.decide().is_ok_and(|now| now.as_deref() == audience)
    }

    /// The audience as which the caller is answered, if it may call at all.
    pub(super) fn decide(&self) -> Result<Option<String>, Status> {
        let action = format!("{}/{}", self.method.service, self.method.method);
        let resource = match &self.target {
            Target::Workspace(workspace) => Resource::Workspace(workspace.id()),
            Target::Product(name) => Resource::Product { workspace: name.workspace.id(), product: name.id.as_str() },
            Target::Installation => Resource::Installation,
        };
        let decision = self.policies.decide(&Question {
            identity: &self.asking.identity,
            certificate: self.asking.certified,
            action: &action,
            resource,
            audience: self.asking.audience.as_deref(),
            validate_only: self.validate_only,
        });
        if decision.allowed {
            return Ok(decision.audience.clone());
        }
        Err(self.denied(action, resource, &decision))
    }

    fn denied(&self, action: String, resource: Resource<'_>, decision: &Decision) -> Status {
        let identity = &self.asking.identity;
        let place = resource.workspace().map(|workspace| format!(" in workspaces/{workspace}")).unwrap_or_default();
        let why = if decision.policies.is_empty() {
            format!(
                "no policy allows it, which needs the access {:?} there; ask whoever keeps the bindings of this server to enter you or a group of yours",
                self.method.access
            )
        } else {
            format!("{} forbids it", decision.policies.join(", "))
        };
        let message = format!("{} may not call {action}{place}: {why}", identity.principal);
        let facts = [("action", action), ("policies", decision.policies.join(","))];
        refuse_with(Code::PermissionDenied, Reason::PermissionDenied, message, facts)
    }
}

/// The first message of a body, and the body as it was.
async fn first_message(mut body: Body) -> Result<(Bytes, Body), Status> {
    let mut read = Vec::new();
    let mut length = 0;
    loop {
        if let Some(message) = message_in(&read, length)? {
            return Ok((message, Body::new(Again { read: read.into(), rest: body })));
        }
        match std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            Some(Ok(frame)) => {
                // Trailers before a message is whole: there will be none.
                let Ok(data) = frame.into_data() else { return Err(incomplete()) };
                length += data.len();
                read.push(data);
            }
            Some(Err(status)) => return Err(status),
            None => return Err(incomplete()),
        }
    }
}

/// The message that stands in what was read so far, once all of it does.
fn message_in(read: &[Bytes], length: usize) -> Result<Option<Bytes>, Status> {
    if length < PREFIX {
        return Ok(None);
    }
    let mut prefix = read.iter().flat_map(|data| data.iter().copied()).take(PREFIX).collect::<Vec<_>>();
    let compressed = prefix.remove(0) != 0;
    if compressed {
        return Err(refuse(
            Code::Unimplemented,
            Reason::Unimplemented,
            "the message is compressed; send it uncompressed",
        ));
    }
    let wanted = prefix.as_slice().get_u32() as usize;
    if wanted > BULK_MESSAGE_BYTES {
        let message =
            format!("a message of {wanted} bytes is over the limit of {BULK_MESSAGE_BYTES}; send less at a time");
        return Err(refuse(Code::ResourceExhausted, Reason::TooLarge, message));
    }
    if length < PREFIX + wanted {
        return Ok(None);
    }
    if let [one] = read {
        return Ok(Some(one.slice(PREFIX..PREFIX + wanted)));
    }
    let mut all = BytesMut::with_capacity(length);
    for data in read {
        all.extend_from_slice(data);
    }
    Ok(Some(all.freeze().slice(PREFIX..PREFIX + wanted)))
}

fn incomplete() -> Status {
    refuse(Code::InvalidArgument, Reason::InvalidField, "the request has no whole message")
}

/// A body of which something was read, from its beginning.
struct Again {
    read: VecDeque<Bytes>,
    rest: Body,
}

impl http_body::Body for Again {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.read.pop_front() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};
    use tonic_prost::prost::Message as _;
    use waymark_access::Principal;
    use waymark_clock::Clock;
    use waymark_proto::roadmap::v1::{Product, UpdateProductRequest};

    use super::*;

    const BINDINGS: &str = "bindings:
  - {role: contributor, members: [users/corp/ada], workspaces: [own]}
  - {audience: customers, members: [users/corp/kim], workspaces: [own]}
";

    async fn policies() -> Arc<Policies> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bindings.yaml");
        std::fs::write(&path, BINDINGS).unwrap();
        Arc::new(Policies::open(None, &path, crate::policies::actions(), Clock::system()).await.unwrap())
    }

    fn user(name: &str) -> Arc<Identity> {
        let principal = Principal::user("corp", name).unwrap();
        Arc::new(Identity { principal, issuer: None, groups: Vec::new(), token_id: None, expires: None })
    }

    /// A message as it comes, in pieces of so many bytes.
    fn body(message: &[u8], piece: usize) -> Body {
        let framed = [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat();
        let pieces: Vec<_> =
            framed.chunks(piece).map(|piece| Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(piece)))).collect();
        Body::new(StreamBody::new(futures::stream::iter(pieces)))
    }

    fn update(name: &str) -> Vec<u8> {
        let product = Some(Product { name: name.to_owned(), ..Product::default() });
        UpdateProductRequest { product, validate_only: true, ..UpdateProductRequest::default() }.encode_to_vec()
    }

    fn method(path: &str) -> &'static RpcMethod {
        waymark_proto::rpc_method(&format!("/waymark.roadmap.v1.{path}")).unwrap()
    }

    async fn asked(who: &str, path: &str, body: Body) -> Result<(Asked, Request<Body>), Status> {
        let asking = Asking { identity: user(who), certified: false, audience: None };
        asking.of(&policies().await, method(path), Request::new(body)).await
    }

    #[tokio::test]
    async fn what_a_request_is_for_is_read_however_it_comes_and_handed_on_as_it_was() {
        let message = update("workspaces/own/products/app");
        for piece in [1, 3, 5, 7, 1_000] {
            let (asked, request) = asked("ada", "StrategyService/UpdateProduct", body(&message, piece)).await.unwrap();
            let is_for = (asked.target.clone(), asked.validate_only);
            assert_eq!(is_for, (Target::Product("workspaces/own/products/app".parse().unwrap()), true));
            assert_eq!(asked.decide().unwrap(), None);
            let all = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(all, body(&message, 1).collect().await.unwrap().to_bytes(), "{piece}");
        }
        let (other, _) =
            asked("ada", "StrategyService/UpdateProduct", body(&update("workspaces/other/products/app"), 9))
                .await
                .unwrap();
        let denied = other.decide().unwrap_err();
        let info = denied.get_details_error_info().unwrap();
        assert_eq!((denied.code(), info.reason.as_str()), (Code::PermissionDenied, "PERMISSION_DENIED"));
        assert_eq!(info.metadata["action"], "waymark.roadmap.v1.StrategyService/UpdateProduct");
        assert!(
            denied.message().starts_with("users/corp/ada may not call ")
                && denied.message().contains("in workspaces/other")
        );
    }

    #[tokio::test]
    async fn who_has_an_audience_is_answered_as_it() {
        let parent = [&[0x0a, 14][..], b"workspaces/own"].concat();
        let (shown, _) = asked("kim", "RoadmapService/GetRoadmap", body(&parent, 20)).await.unwrap();
        assert_eq!(shown.decide().unwrap().as_deref(), Some("workspaces/own/audiences/customers"));
        assert!(shown.holds(Some("workspaces/own/audiences/customers")) && !shown.holds(None));
        let (hidden, _) = asked("kim", "PrioritizationService/RankInitiatives", body(&parent, 20)).await.unwrap();
        assert_eq!(hidden.decide().unwrap_err().code(), Code::PermissionDenied);
    }

    #[tokio::test]
    async fn what_says_nothing_of_what_it_is_for_is_refused_before_anybody_sees_it() {
        let refused = async |body: Body| asked("ada", "StrategyService/UpdateProduct", body).await.unwrap_err();
        for name in [
            "",
            "workspaces/own",
            "workspaces/*/products/app",
            "workspaces/../products/app",
            "workspaces/own/initiatives/app",
        ] {
            let status = refused(body(&update(name), 100)).await;
            let violations = status.get_details_bad_request().unwrap().field_violations;
            assert_eq!(
                (status.code(), violations[0].field.as_str()),
                (Code::InvalidArgument, "product.name"),
                "{name}"
            );
        }
        let raw = |bytes: &[u8]| {
            Body::new(http_body_util::Full::new(Bytes::copy_from_slice(bytes)).map_err(|never| match never {}))
        };
        for (bytes, code) in [
            (&[][..], Code::InvalidArgument),
            (&[0, 0, 0], Code::InvalidArgument),
            (&[0, 0, 0, 0, 9, 1], Code::InvalidArgument),
            (&[1, 0, 0, 0, 0], Code::Unimplemented),
            (&[0, 255, 255, 255, 255], Code::ResourceExhausted),
        ] {
            assert_eq!(refused(raw(bytes)).await.code(), code, "{bytes:?}");
        }
    }
}
