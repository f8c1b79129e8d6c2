//! `waymark.graph.v1.GraphService`: what refers to what, as the declared tables of a service have it.

use tonic::{Request, Response, Status};
use waymark_proto::graph::v1 as pb;
use waymark_proto::graph::v1::graph_service_server::GraphService;
use waymark_rpc as rpc;
use waymark_store::{Direction, Link, Schema, Store, Walk};

/// The graph of one service's resources.
pub(crate) struct Graph {
    pub service: &'static str,
    pub schema: &'static Schema,
    pub store: Store,
}

#[tonic::async_trait]
impl GraphService for Graph {
    async fn list_links(
        &self,
        request: Request<pb::ListLinksRequest>,
    ) -> Result<Response<pb::ListLinksResponse>, Status> {
        let request = rpc::asked(request)?;
        let walk = Walk {
            name: &request.name,
            direction: match request.direction() {
                pb::LinkDirection::Outgoing => Direction::Outgoing,
                pb::LinkDirection::Unspecified | pb::LinkDirection::Incoming => Direction::Incoming,
            },
            field: &request.field,
            depth: request.depth_or_default().unsigned_abs(),
            page_size: request.page_size,
            page_token: &request.page_token,
        };
        let page = rpc::or_status(self.store.walk(self.schema, self.service, walk).await)?;
        let links = page.items.into_iter().map(link).collect();
        Ok(Response::new(pb::ListLinksResponse { links, next_page_token: page.next_page_token }))
    }
}

fn link(link: Link) -> pb::Link {
    pb::Link {
        from: link.from.to_string(),
        from_display_name: link.from_display_name,
        field: link.field,
        to: link.to.to_string(),
        to_display_name: link.to_display_name,
        holds: link.holds,
        distance: link.distance.cast_signed(),
    }
}
