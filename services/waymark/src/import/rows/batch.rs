//! What becomes of rows that are dealt with together. What belongs to a resource is looked at before the resource is
//! written, so that of a row all is written or nothing.

use anyhow::Result;
use waymark_client::Channel;

use super::kind::Kind;
use super::mapping::Row;
use super::writing::{Outcome, Refusal, Wanted, Writer};

/// The service that rows are sent to.
pub struct Service {
    pub kind: &'static Kind,
    pub channel: Channel,
    /// `workspaces/{workspace}`.
    pub parent: String,
    pub dry_run: bool,
}

/// A row and what became of it.
pub struct Fate {
    pub row: Row,
    /// Why the row is refused: of the resource, or of a part of it.
    pub refused: Vec<(Option<&'static Kind>, Refusal)>,
    /// What became of the resource and its parts, by collection.
    pub outcomes: Vec<(&'static str, Outcome)>,
    /// What would become of the parts.
    checked: Vec<Outcome>,
}

impl Fate {
    /// What the row refers to and is not there, if that is all that is wrong with it.
    pub fn missing(&self) -> Option<Vec<String>> {
        self.refused.iter().map(|(_, refusal)| refusal.missing.clone()).collect()
    }

    /// What would become of the row were that there.
    pub fn otherwise(&self, kind: &'static Kind) -> Vec<(&'static str, Outcome)> {
        let is_there = self.refused.iter().any(|(part, refusal)| part.is_none() && refusal.is_there);
        let own = if is_there { Outcome::Updated } else { Outcome::Made };
        let parts = kind.parts.iter().zip(&self.checked).zip(&self.row.messages[1..]);
        let parts = parts.filter(|(_, message)| message.is_some());
        let parts = parts.map(|(((part, _), outcome), _)| (part.resource.collection.as_str(), outcome.clone()));
        std::iter::once((kind.resource.collection.as_str(), own)).chain(parts).collect()
    }
}

impl Service {
    /// Writes what rows say; gives what became of each, in their order.
    pub async fn deal(&self, rows: Vec<Row>) -> Result<Vec<Fate>> {
        let checked = vec![Outcome::Unchanged; self.kind.parts.len()];
        let fate = |row| Fate { row, refused: Vec::new(), outcomes: Vec::new(), checked: checked.clone() };
        let mut fates: Vec<Fate> = rows.into_iter().map(fate).collect();
        self.check_parts(&mut fates).await?;
        self.check_doomed(&mut fates).await?;
        self.write_resources(&mut fates).await?;
        self.write_parts(&mut fates).await?;
        Ok(fates)
    }

    /// The name of an id.
    pub fn name(&self, id: &str) -> String {
        self.writer(self.kind, true).name(id)
    }

    pub fn writer<'a>(&self, kind: &'a Kind, validate_only: bool) -> Writer<'a> {
        Writer { kind, channel: self.channel.clone(), parent: self.parent.clone(), validate_only }
    }

    /// Looks at what belongs to resources. That the resource is not there yet is no fault.
    async fn check_parts(&self, fates: &mut [Fate]) -> Result<()> {
        for (of, (part, _)) in self.kind.parts.iter().enumerate() {
            let (places, outcomes) = write(&self.writer(part, true), fates, of + 1, |_| true).await?;
            for (place, outcome) in places.into_iter().zip(outcomes) {
                let fate = &mut fates[place];
                let own = self.name(&fate.row.id);
                match outcome {
                    Outcome::Refused(refusal) if refusal.missing.as_ref() == Some(&own) => {
                        fate.checked[of] = Outcome::Made;
                    }
                    Outcome::Refused(refusal) => fate.refused.push((Some(*part), refusal)),
                    fine => fate.checked[of] = fine,
                }
            }
        }
        Ok(())
    }

    /// Looks at the resources of rows that are refused for a part: all that is wrong with a row is told at once.
    async fn check_doomed(&self, fates: &mut [Fate]) -> Result<()> {
        let is_doomed = |fate: &Fate| !fate.refused.is_empty();
        let (places, outcomes) = write(&self.writer(self.kind, true), fates, 0, is_doomed).await?;
        for (place, outcome) in places.into_iter().zip(outcomes) {
            if let Outcome::Refused(refusal @ Refusal { missing: None, .. }) = outcome {
                fates[place].refused.push((None, refusal));
            }
        }
        Ok(())
    }

    async fn write_resources(&self, fates: &mut [Fate]) -> Result<()> {
        let writer = self.writer(self.kind, self.dry_run);
        let (places, outcomes) = write(&writer, fates, 0, |fate| fate.refused.is_empty()).await?;
        for (place, outcome) in places.into_iter().zip(outcomes) {
            let fate = &mut fates[place];
            match outcome {
                Outcome::Refused(refusal) => fate.refused.push((None, refusal)),
                fine => fate.outcomes.push((self.kind.resource.collection.as_str(), fine)),
            }
        }
        Ok(())
    }

    async fn write_parts(&self, fates: &mut [Fate]) -> Result<()> {
        for (of, (part, _)) in self.kind.parts.iter().enumerate() {
            let collection = part.resource.collection.as_str();
            let is_right = |fate: &Fate| fate.refused.is_empty();
            if self.dry_run {
                let says = |fate: &&mut Fate| is_right(fate) && fate.row.messages[of + 1].is_some();
                fates
                    .iter_mut()
                    .filter(says)
                    .for_each(|fate| fate.outcomes.push((collection, fate.checked[of].clone())));
                continue;
            }
            let (places, outcomes) = write(&self.writer(part, false), fates, of + 1, is_right).await?;
            for (place, outcome) in places.into_iter().zip(outcomes) {
                match outcome {
                    // It was right when it was looked at, and what it belongs to is written by now.
                    Outcome::Refused(mut refusal) => {
                        for (_, reason) in &mut refusal.faults {
                            reason.push_str("; what else the row says is written");
                        }
                        fates[place].refused.push((Some(*part), refusal));
                    }
                    fine => fates[place].outcomes.push((collection, fine)),
                }
            }
        }
        Ok(())
    }
}

/// Writes the resource, or one of the parts, of the rows that say something of it and that are `taken`: their places, and
/// what became of each.
async fn write(
    writer: &Writer<'_>,
    fates: &[Fate],
    of: usize,
    taken: impl Fn(&Fate) -> bool,
) -> Result<(Vec<usize>, Vec<Outcome>)> {
    let wanted = |(place, fate): (usize, &'_ Fate)| fate.row.messages.get(of)?.as_ref().map(|_| place);
    let places: Vec<usize> = fates.iter().enumerate().filter(|(_, fate)| taken(fate)).filter_map(wanted).collect();
    let message = |place: &usize| {
        let row = &fates[*place].row;
        Some(Wanted { id: &row.id, message: row.messages.get(of)?.as_ref()? })
    };
    let wanted: Vec<Wanted<'_>> = places.iter().filter_map(message).collect();
    let outcomes = writer.write(&wanted).await?;
    Ok((places, outcomes))
}
