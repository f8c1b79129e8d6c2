//! Creates an initiative exactly once, however often it has to be tried: the request id is made from what asks for the
//! write, so a retry, and even a second run of this program, gets the first answer instead of a second initiative.
//!
//! Beside `make run`: `cargo run -p waymark-client --example write -- [ADDRESS] [WORKSPACE] [TICKET]`

use std::error::Error;
use std::time::Duration;

use tonic::Code;
use uuid::Uuid;
use waymark_client::{Channel, Options};
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::{CreateInitiativeRequest, Initiative};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:7402".to_owned());
    let workspace = arguments.next().unwrap_or_else(|| "examples".to_owned());
    let ticket = arguments.next().unwrap_or_else(|| "ticket-4711".to_owned());

    let options = Options { actor: Some("users/ada@example.com".to_owned()), ..Options::default() };
    let mut roadmap = RoadmapServiceClient::new(Channel::new(&address, options)?);
    let request = CreateInitiativeRequest {
        parent: format!("workspaces/{workspace}"),
        initiative: Some(Initiative {
            display_name: format!("What {ticket} asks for"),
            owner: "users/ada@example.com".to_owned(),
            ..Initiative::default()
        }),
        // Of the workspace and the ticket, not random: it is the same on every attempt, in every process.
        request_id: Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{workspace}/{ticket}").as_bytes()).to_string(),
        ..CreateInitiativeRequest::default()
    };

    // The channel repeats a call by itself for its deadline of 10 seconds. This loop outlives a longer outage; that is
    // safe as the request carries its id, whether or not an attempt that got no answer was done.
    let created = loop {
        match roadmap.create_initiative(request.clone()).await.map_err(waymark_client::Error::from) {
            Ok(answer) => break answer.into_inner(),
            Err(error) if matches!(error.code(), Code::Unavailable | Code::DeadlineExceeded) => {
                let wait = error.retry_after().unwrap_or(Duration::from_secs(2));
                eprintln!("{error}; trying again in {wait:?}");
                tokio::time::sleep(wait).await;
            }
            // Whatever else is refused would be refused again: `error.reason()` says why, for programs.
            Err(error) => return Err(error.into()),
        }
    };
    println!("{} {:?}", created.name, created.display_name);
    Ok(())
}
