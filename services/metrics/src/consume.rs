//! Reactions to the roadmap's events: predictions follow their initiatives. Each event takes effect once, however often
//! it is delivered.

use std::convert::Infallible;

use waymark_domain::metrics::{Prediction, PredictionEvent};
use waymark_domain::{Change, Name, Violations};
use waymark_events::Topic;
use waymark_proto::convert::metrics::{prediction, promise};
use waymark_proto::roadmap::v1 as roadmap;
use waymark_store::{Error, Reaction, Received, Store, Write};

use crate::store::Predictions;

const COMMITTED: &str = "waymark.roadmap.v1.InitiativeCommitted";
const SHIPPED: &str = "waymark.roadmap.v1.InitiativeShipped";
const DECLINED: &str = "waymark.roadmap.v1.InitiativeDeclined";

/// What the service listens to.
pub const CONSUMES: &[Topic] = &[Topic::new("roadmap", &[COMMITTED, SHIPPED, DECLINED])];

/// Reacts to an event. Events of other types are left alone.
pub async fn handle(store: &Store, event: &Received, reaction: &Reaction) -> Result<(), Error> {
    match event.event_type.as_str() {
        COMMITTED => {
            let roadmap::InitiativeCommitted { initiative, .. } = decode(event)?;
            committed(store, event, reaction, initiative.unwrap_or_default()).await
        }
        SHIPPED => {
            let roadmap::InitiativeShipped { initiative, .. } = decode(event)?;
            shipped(store, event, reaction, initiative.unwrap_or_default()).await
        }
        DECLINED => {
            let roadmap::InitiativeDeclined { initiative, .. } = decode(event)?;
            follow(store, event, reaction, &initiative.unwrap_or_default(), Prediction::withdraw).await
        }
        _ => Ok(()),
    }
}

/// Records what is expected of the initiative; nothing when nothing is.
async fn committed(
    store: &Store,
    event: &Received,
    reaction: &Reaction,
    initiative: roadmap::Initiative,
) -> Result<(), Error> {
    let name = name_of(event, &initiative)?;
    let display_name = initiative.display_name.clone();
    let Some(promise) = promise(initiative)? else { return Ok(()) };
    store
        .react(reaction, async move |write: &mut Write| {
            if let Some(existing) = write.find::<Predictions>(&name).await? {
                if let Some(change) = existing.renew(promise) {
                    write.put::<Predictions>(change)?;
                }
                return Ok(());
            }
            let record = |prediction| Ok::<_, Infallible>(Change::new(prediction, PredictionEvent::Recorded));
            write.create::<Predictions, _>(name.id().as_str(), prediction(display_name, &promise), record).map(|_| ())
        })
        .await
}

async fn shipped(
    store: &Store,
    event: &Received,
    reaction: &Reaction,
    initiative: roadmap::Initiative,
) -> Result<(), Error> {
    let mut violations = Violations::new();
    let ship_time = waymark_proto::convert::time(&mut violations, "initiative.ship_time", initiative.ship_time);
    violations.into_result()?;
    let ship_time = ship_time.unwrap_or(event.time);
    follow(store, event, reaction, &initiative, move |prediction| prediction.start(ship_time)).await
}

/// Moves the initiative's prediction, if there is one and it moves.
async fn follow(
    store: &Store,
    event: &Received,
    reaction: &Reaction,
    initiative: &roadmap::Initiative,
    step: impl FnOnce(Prediction) -> Option<Change<Prediction>> + Send,
) -> Result<(), Error> {
    let name = name_of(event, initiative)?;
    store
        .react(reaction, async move |write: &mut Write| {
            if let Some(change) = write.find::<Predictions>(&name).await?.and_then(step) {
                write.put::<Predictions>(change)?;
            }
            Ok(())
        })
        .await
}

/// The prediction of an initiative has its id.
fn name_of(event: &Received, initiative: &roadmap::Initiative) -> Result<Name<Prediction>, Error> {
    let id = initiative.name.rsplit('/').next().unwrap_or_default();
    let id =
        id.parse().map_err(|e: waymark_domain::name::NameError| Violations::one("initiative.name", e.to_string()))?;
    Ok(Name::new(event.workspace.clone(), id))
}

fn decode<M: serde::de::DeserializeOwned>(event: &Received) -> Result<M, Error> {
    let wrong = |e: serde_json::Error| Violations::one("data", format!("is not a {}: {e}", event.event_type));
    Ok(serde_json::from_str(&event.data).map_err(wrong)?)
}
