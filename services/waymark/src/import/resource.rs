//! The import as the service keeps it: begun before the first batch, completed with the report after the last, and
//! undone.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use sha2::{Digest as _, Sha256};
use waymark_client::{Channel, Error};
use waymark_proto::descriptors;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::ingestion_service_client::IngestionServiceClient;

use super::options::EventsArgs;
use crate::generic::contract::Area;
use crate::generic::names::short;
use crate::generic::output::{self, Format};
use crate::settings::Settings;

/// What the service takes events and imports by.
pub type Client = IngestionServiceClient<Channel>;

/// A client of the service that the settings name.
pub fn client(settings: &Settings) -> Result<Client> {
    Ok(IngestionServiceClient::new(settings.channel(Area::Metrics)?).max_decoding_message_size(64 << 20))
}

/// Whether an import that was broken off can go on: it is there, and takes events.
pub async fn goes_on(client: &mut Client, name: &str) -> Result<bool> {
    match client.get_import(pb::GetImportRequest { name: name.to_owned() }).await.map_err(Error::from) {
        Ok(import) => Ok(import.into_inner().state() == pb::ImportState::Running),
        Err(error) if error.code() == tonic::Code::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Begins an import of the file that the options name, and gives its name.
pub async fn begin(client: &mut Client, parent: &str, args: &EventsArgs) -> Result<String> {
    let file_name = args.input.file.file_name().unwrap_or(args.input.file.as_os_str()).to_string_lossy();
    let import = pb::Import {
        display_name: cut(&file_name, 200),
        digest: digest(&args.input.file)?,
        mapping: mapping(args),
        ..pb::Import::default()
    };
    let request = pb::CreateImportRequest { parent: parent.to_owned(), import: Some(import), ..Default::default() };
    Ok(client.create_import(request).await.map_err(Error::from)?.into_inner().name)
}

/// Completes an import.
pub async fn complete(client: &mut Client, completion: pb::CompleteImportRequest) -> Result<pb::Import> {
    Ok(client.complete_import(completion).await.map_err(Error::from)?.into_inner())
}

/// `waymark import undo`: undoes an import and prints what that came to.
pub async fn undo(import: &str, settings: &Settings) -> Result<()> {
    let name = match import.rsplit_once('/') {
        Some(("imports", id)) => format!("{}/imports/{id}", settings.parent()?),
        Some(_) => import.to_owned(),
        None => format!("{}/imports/{import}", settings.parent()?),
    };
    let request = pb::UndoImportRequest { name, ..pb::UndoImportRequest::default() };
    let undone = client(settings)?.undo_import(request).await.map_err(Error::from)?.into_inner();
    match settings.format()? {
        Format::Json | Format::Yaml => {
            let of = descriptors().get_message_by_name("waymark.metrics.v1.Import").context("not in the contract")?;
            let message = DynamicMessage::decode(of, undone.encode_to_vec().as_slice())?;
            crate::show(format_args!("{}", output::message(&message, settings.style()?)?));
        }
        Format::Table => {
            let pb::Import { display_name, removed, kept, .. } = undone;
            let kept = match kept {
                0 => String::new(),
                kept => format!("; {kept} stay, as something else delivered them, too"),
            };
            crate::show(format_args!("{display_name} is undone: {removed} events are gone{kept}"));
        }
    }
    Ok(())
}

/// How to undo an import.
pub fn advice(name: &str) -> String {
    format!("It is import {0}; waymark import undo {0} takes it back.", short(name))
}

/// A text of so many characters at most.
pub fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// SHA-256 of a file's bytes, in hexadecimal digits.
fn digest(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    let (mut hash, mut part) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut part) {
            Ok(0) => break,
            Ok(read) => hash.update(&part[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }
    Ok(hash.finalize().iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}")))
}

/// How rows become events, as one says it on the command line; what is not said is left out.
fn mapping(args: &EventsArgs) -> Vec<String> {
    let EventsArgs { user, event, time, time_format, time_zone, id, device, session, .. } = args;
    let (format, thousands) = (args.input.format.map(|form| format!("{form:?}").to_lowercase()), args.thousands);
    let columns =
        [("user", user), ("time", time), ("event", event), ("id", id), ("device", device), ("session", session)];
    let columns = columns.into_iter().filter_map(|(option, column)| Some(format!("--{option}={}", column.as_ref()?)));
    let from = args.from.and_then(|vendor| Some(format!("--from={}", vendor.to_possible_value()?.get_name())));
    // What is known of an export contradicts that one says it.
    let format_of_times = args.from.is_none().then(|| format!("--time-format={time_format}"));
    from.into_iter()
        .chain(columns)
        .chain(format_of_times)
        .chain([format!("--time-zone={time_zone}")])
        .chain(args.property.iter().map(|property| format!("--property={property}")))
        .chain(args.value.iter().map(|value| format!("--value={value}")))
        .chain([format!("--decimal={}", args.decimal)])
        .chain(thousands.map(|thousands| format!("--thousands={thousands}")))
        .chain(format.map(|format| format!("--format={format}")))
        .chain(args.input.delimiter.map(|delimiter| format!("--delimiter={}", delimiter.option())))
        .chain(args.input.no_header.then(|| "--no-header".to_owned()))
        .take(pb::Import::MAPPING_MOST)
        .map(|option| cut(&option, 500))
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        events: EventsArgs,
    }

    #[test]
    fn the_mapping_is_what_was_said() {
        let said = ["--user=u", "--time=at", "--event=e", "--property=a=b:number", "--delimiter=tab", "--no-header"];
        let args = Line::parse_from([&["t", "file.csv"][..], &said].concat()).events;
        let mapping = mapping(&args);
        for option in said {
            assert!(mapping.iter().any(|told| told == option), "{option}: {mapping:?}");
        }
        let again = mapping.iter().map(String::as_str);
        let again = Line::parse_from(["t", "file.csv"].into_iter().chain(again)).events;
        assert_eq!(format!("{again:?}"), format!("{args:?}"), "it can be said again");

        let args = Line::parse_from(["t", "file.gz", "--from", "mixpanel"]).events;
        let told = super::mapping(&args);
        let again = Line::parse_from(["t", "file.gz"].into_iter().chain(told.iter().map(String::as_str))).events;
        assert_eq!(format!("{again:?}"), format!("{args:?}"), "{told:?}");
    }

    #[test]
    fn a_digest_is_that_of_the_bytes() {
        let path = std::env::temp_dir().join(format!("waymark-digest-{}", std::process::id()));
        std::fs::write(&path, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(digest(&path).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        std::fs::remove_file(path).unwrap();
    }
}
