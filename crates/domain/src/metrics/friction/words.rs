//! A finding in words, for evidence and for people: bounded in length, whatever events are called.

use super::super::Scalar;
use super::question::{Step, mention};
use super::{Correlate, Friction, Loss};

impl Friction {
    /// The whole path, in a sentence: `from "signed_up" to "report_created"`.
    pub fn span(&self) -> String {
        between(self.question.path.entry(), self.question.path.goal())
    }

    /// Where on it most users are lost, in the same way; `None` when there is nothing to tell.
    pub fn gap(&self) -> Option<String> {
        let [from, to] = self.around(self.found()?)?;
        Some(between(from.event(), to.event()))
    }

    /// The numbers in a sentence, without its final stop; `None` when there is nothing to tell.
    pub fn note(&self) -> Option<String> {
        let loss = self.found()?;
        let [from, to] = self.around(loss)?;
        let entries = self.question.entries;
        let days = self.question.path.window().days();
        Some(format!(
            "{} users who did {} did not get to {} within {days} {} ({} to {})",
            loss.words(),
            quoted(from.event()),
            quoted(to.event()),
            if days == 1 { "day" } else { "days" },
            entries.start().date_naive(),
            entries.end().date_naive(),
        ))
    }

    /// What those who were lost have in common, in a sentence without its final stop; `None` when nothing is known.
    pub fn hint(&self) -> Option<String> {
        let first = self.answer.correlates.first()?;
        let loss = Loss { step: self.found()?.step, users: first.users, lost: first.lost };
        let points = first.difference.likely() * 100.0;
        let more = if points < 0.0 { "less" } else { "more" };
        Some(format!(
            "Where {}, {} were lost, {:.0} points {more} than elsewhere",
            first.words(),
            loss.words(),
            points.abs()
        ))
    }

    /// The steps that a loss is between.
    fn around(&self, loss: Loss) -> Option<[&Step; 2]> {
        let steps = self.question.path.steps();
        Some([steps.get(loss.step.checked_sub(1)?)?, steps.get(loss.step)?])
    }
}

impl Loss {
    /// `62 % of 1,240`, or `3 of 1,240` when whole percents would say none or all.
    fn words(&self) -> String {
        let (percent, users) = ((self.share() * 100.0).round(), grouped(self.users));
        if (0.5..99.5).contains(&percent) || self.lost == self.users {
            format!("{percent} % of {users}")
        } else {
            format!("{} of {users}", grouped(self.lost))
        }
    }
}

impl Correlate {
    /// `"plan" is "free"`, in a sentence; a number or a truth value stands without quotes.
    fn words(&self) -> String {
        match &self.value {
            Some(Scalar::Text(value)) => format!("{} is {}", quoted(&self.property), quoted(value)),
            Some(value) => format!("{} is {value}", quoted(&self.property)),
            None => format!("{} is absent", quoted(&self.property)),
        }
    }
}

fn between(from: &str, to: &str) -> String {
    format!("from {} to {}", quoted(from), quoted(to))
}

/// A name in a sentence, of bounded length.
fn quoted(name: &str) -> String {
    format!("\"{}\"", mention(name))
}

/// `1240` is `1,240`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::{correlate, friction, path};
    use super::super::{Answer, Friction};
    use super::*;

    #[test]
    fn the_note_says_who_was_lost_where_and_when() {
        let found = friction([2000, 1240, 471]);
        assert_eq!(found.span(), "from \"signed_up\" to \"report_created\"");
        assert_eq!(found.gap().unwrap(), "from \"invited\" to \"report_created\"");
        assert_eq!(
            found.note().unwrap(),
            "62 % of 1,240 users who did \"invited\" did not get to \"report_created\" within 7 days (2026-10-01 to 2026-11-01)"
        );
        let starts = |users| friction(users).note().unwrap().split(" users").next().unwrap_or_default().to_owned();
        assert_eq!(starts([1240, 1237, 1237]), "3 of 1,240", "0 % would say none");
        assert_eq!(starts([1_234_567, 3, 3]), "1,234,564 of 1,234,567", "100 % would say all");
        assert_eq!(starts([40, 0, 0]), "100 % of 40");
        let nothing = friction([40, 40, 40]);
        assert_eq!((nothing.gap(), nothing.note(), nothing.hint()), (None, None, None));
        assert_eq!(friction([29, 0, 0]).note(), None, "too few to tell");
    }

    #[test]
    fn the_hint_names_what_those_who_were_lost_have_in_common() {
        let hint = |correlate: Correlate| {
            let friction = friction([100, 60, 60]);
            let answer = Answer { correlates: vec![correlate], ..friction.answer };
            Friction { answer, ..friction }.hint().unwrap()
        };
        let more = hint(correlate("plan", Some("free"), [0.1, 0.584, 0.7]));
        assert_eq!(more, "Where \"plan\" is \"free\", 75 % of 40 were lost, 58 points more than elsewhere");
        let less = hint(correlate("invited_by", None, [-0.3, -0.2, -0.1]));
        assert_eq!(less, "Where \"invited_by\" is absent, 75 % of 40 were lost, 20 points less than elsewhere");
        let seats = Correlate { value: Some(Scalar::Number(3.0)), ..correlate("seats", None, [0.1, 0.2, 0.3]) };
        assert!(hint(seats).starts_with("Where \"seats\" is 3, "));
    }

    #[test]
    fn words_stay_short_whatever_events_are_called() {
        let long = "é\n".repeat(100);
        let mut found = friction([u64::MAX, 1, 0]);
        found.question.path = path(&[&long, &long, &long], 90);
        found.answer.correlates = vec![correlate(&long, Some(&long), [0.1, 0.2, 0.3])];
        assert!(found.note().unwrap().chars().count() < 400);
        assert!(found.hint().unwrap().chars().count() < 400);
        assert!(found.question.path.title().chars().count() <= 200);
        assert!(found.span().chars().count() < 200);
        assert_eq!([grouped(0), grouped(999), grouped(1000), grouped(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
    }
}
