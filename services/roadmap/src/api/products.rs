//! Products.

use std::convert::Infallible;

use tonic::{Request, Response, Status};
use waymark_domain::Change;
use waymark_domain::roadmap::{Product, ProductEvent};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::strategy_service_server::StrategyService;
use waymark_rpc::{self as rpc, batch_rows};
use waymark_store::{Batch, ListQuery, Write};

use super::Api;
use crate::store::Products;

#[tonic::async_trait]
impl StrategyService for Api {
    async fn get_product(&self, request: Request<pb::GetProductRequest>) -> Result<Response<pb::Product>, Status> {
        rpc::answer(self.store.get::<Products>(&request.get_ref().name).await)
    }

    async fn list_products(
        &self,
        request: Request<pb::ListProductsRequest>,
    ) -> Result<Response<pb::ListProductsResponse>, Status> {
        let pb::ListProductsRequest { parent, page_size, page_token, filter, order_by, show_deleted } =
            request.get_ref();
        let query =
            ListQuery { parent, page_size: *page_size, page_token, filter, order_by, show_deleted: *show_deleted };
        let page = rpc::or_status(self.store.list::<Products>(query).await)?;
        Ok(Response::new(pb::ListProductsResponse { products: page.items, next_page_token: page.next_page_token }))
    }

    async fn create_product(
        &self,
        request: Request<pb::CreateProductRequest>,
    ) -> Result<Response<pb::Product>, Status> {
        let (call, r) = rpc::open(request)?;
        let create = |product| Ok::<_, Infallible>(Change::new(product, ProductEvent::Created));
        rpc::written(self.store.create_blind::<Products, _>(&call, &r.parent, &r.product_id, r.product, create).await)
    }

    async fn batch_create_products(
        &self,
        request: Request<pb::BatchCreateProductsRequest>,
    ) -> Result<Response<pb::BatchCreateProductsResponse>, Status> {
        let (call, r) = rpc::open(request)?;
        let rows =
            rpc::or_status(batch_rows(&r.parent, r.requests, |row| (row.parent, (row.product_id, row.product))))?;
        let reply =
            |batch: Batch<_>| pb::BatchCreateProductsResponse { products: batch.items, failures: batch.failures };
        let create = async |_: &mut Write, product| Ok(Change::new(product, ProductEvent::Created));
        rpc::written(self.store.batch_create::<Products, _, _>(&call, &r.parent, rows, r.partial, create, reply).await)
    }

    async fn update_product(
        &self,
        request: Request<pb::UpdateProductRequest>,
    ) -> Result<Response<pb::Product>, Status> {
        let (call, r) = rpc::open(request)?;
        let decide = async |_: &mut Write, _: Product, new| Ok(Change::new(new, ProductEvent::Updated));
        rpc::written(self.store.update::<Products, _>(&call, r.product, r.update_mask, decide).await)
    }

    async fn delete_product(
        &self,
        request: Request<pb::DeleteProductRequest>,
    ) -> Result<Response<pb::Product>, Status> {
        let (call, r) = rpc::open(request)?;
        let delete = async |_: &mut Write, product| Ok(Change::new(product, ProductEvent::Deleted));
        rpc::written(self.store.delete::<Products, _>(&call, &r.name, &r.etag, delete).await)
    }

    async fn undelete_product(
        &self,
        request: Request<pb::UndeleteProductRequest>,
    ) -> Result<Response<pb::Product>, Status> {
        let (call, r) = rpc::open(request)?;
        let decide = async |_: &mut Write, product| Ok(Change::new(product, ProductEvent::Undeleted));
        rpc::written(self.store.undelete::<Products, _>(&call, &r.name, &r.etag, decide).await)
    }
}
