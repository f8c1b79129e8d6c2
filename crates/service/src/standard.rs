//! The standard methods of all resources of a service, on its server: what the declared tables say they are.

use waymark_rpc as rpc;
use waymark_runtime::Server;
use waymark_runtime::edge::MESSAGE_BYTES;
use waymark_store::{Asked, Declaration, Schema, Store};

/// Adds the standard methods of the resources whose tables `schema` declares.
pub(crate) fn serve(mut server: Server, schema: &Schema, store: &Store) -> Server {
    for method in schema.declarations().iter().flat_map(Declaration::methods) {
        let store = store.clone();
        let (named, limit) = (method.rpc, method.request_bytes.unwrap_or(MESSAGE_BYTES));
        server = server.unary(named.service, named.path, limit, move |request| {
            let origin = rpc::origin(&request);
            let served = method.serve(&store, Asked { origin, message: request.into_inner() });
            Box::pin(async move { rpc::written(served.await) })
        });
    }
    server
}
