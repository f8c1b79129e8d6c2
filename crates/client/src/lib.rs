//! What a Rust program imports to call Waymark: a channel that gives every generated client deadlines, retries and
//! trace context, and a watch on a service's log that survives restarts.
//!
//! ```no_run
//! use waymark_client::{Channel, Options};
//! use waymark_proto::roadmap::v1::{GetProductRequest, strategy_service_client::StrategyServiceClient};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let channel = Channel::new("127.0.0.1:7402", Options::default())?;
//! let mut products = StrategyServiceClient::new(channel);
//! let name = "workspaces/acme/products/app".to_owned();
//! let product = products.get_product(GetProductRequest { name }).await.map_err(waymark_client::Error::from)?;
//! println!("{}", product.get_ref().display_name);
//! # Ok(())
//! # }
//! ```
//!
//! Who calls is told by a token, from a [`TokenSource`] in the options: given, read from a file, got by client credentials, or
//! of a login that `waymark login` keeps. Renewing it is the channel's affair, and so is going on with a watch whose token
//! has expired.
//!
//! There is no client type per service here: the generated ones work over [`Channel`] as they are. This crate holds no
//! rule of the product and never reads configuration.

mod channel;
mod deadline;
mod error;
mod headers;
mod plan;
mod request_id;
mod retry;
mod token;
mod watch;

pub use channel::{AddressError, Channel, Options};
pub use error::{Error, Violation};
pub use token::{
    Browser, ClientCredentials, Device, Issuer, IssuerError, Login, LoginError, Signed, TokenError, TokenSource,
};
pub use watch::{Start, Update, Watch};
pub use waymark_tls::ClientFiles;
